"""Door: the night's handles in, rows in the metric file out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import task

from tasks.artifacts import Artifact, Scores
from tasks.publish.rows import insert_run
from tasks.store import Store
from tasks.warehouse import replacing


@task
def publish(
    scores: Scores,
    night: Sequence[Artifact],
    *,
    profile: str,
    commit: str | None,
    store: Store,
) -> str:
    """Put a night into the metric file, once; return its run_id.

    `night` are the handles of its stages in order; what was predicted, trained and set aside is
    found among them. A run that is there already stays as it is.
    """
    path = metric_file(store)
    with replacing(path) as db:
        known = db.execute("select 1 from runs where run_id = ?", [scores.fingerprint]).fetchone()
        if known is None:
            insert_run(db, scores, night, profile=profile, commit=commit, at=datetime.now(UTC))
    return scores.fingerprint


def metric_file(store: Store) -> Path:
    """Where the metrics of a store are."""
    return store.root / "artifacts" / "metrics.duckdb"
