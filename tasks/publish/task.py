"""Door: the night's handles in, rows in the metric file out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from prefect import task
from prefect.client.schemas.objects import State

from tasks.metrics_db import atomic_update, pull_metrics
from tasks.publish.config import Contest
from tasks.publish.promotion import decide, go_back
from tasks.publish.rows import insert_run
from tasks.store.artifacts import Artifact, Scores, ValidatedRatings
from tasks.store.remote.errors import ConflictError
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.remote.shared_file import SharedFile
from tasks.store.store import Store


def was_overtaken(_task: object, _run: object, state: State[str]) -> bool:
    """Whether another machine has published meanwhile: then it begins again, on top of that."""
    return isinstance(state.result(raise_on_failure=False), ConflictError)


@task(retries=5, retry_delay_seconds=5, retry_condition_fn=was_overtaken)
def publish(
    scores: Scores,
    night: Sequence[Artifact],
    *,
    profile: str,
    commit: str | None,
    contest: Contest,
    store: Store,
) -> str:
    """Put a night into the metric file, once, with who is champion after it; return its run_id.

    `night` are the handles of its stages in order; what was predicted, trained and set aside is
    found among them. A run that is there already stays as it is, and so does a decision.
    """
    with atomic_update(*sharing(store)) as db:
        known = db.execute("select 1 from runs where run_id = ?", [scores.fingerprint]).fetchone()
        if known is None:
            at = _moment(db)
            insert_run(db, scores, night, profile=profile, commit=commit, at=at)
            ratings = next(handle for handle in night if isinstance(handle, ValidatedRatings))
            champion = contest.champion
            learnt = None if champion is None else store.ancestor(ValidatedRatings, champion)
            decide(db, scores, ratings, learnt, contest, at)
    return scores.fingerprint


@task
def roll_back(*, to: str, store: Store) -> str:
    """Make an earlier champion champion again; return its fingerprint.

    `to` is the beginning of its fingerprint; empty for the one before. Raises FileNotFoundError
    where nothing was published, LookupError where no one earlier champion is meant, ConflictError
    where another machine has published meanwhile.
    """
    path = metric_file(store)
    if not path.exists():
        raise FileNotFoundError(f"no metrics at {path}: run `make nightly` first")
    with atomic_update(*sharing(store)) as db:
        return go_back(db, to, _moment(db))


def _moment(db: duckdb.DuckDBPyConnection) -> datetime:
    """Now, but after all that is told already: a clock that was set back must not change order."""
    told = "select run_at as moment from runs union all select decided_at from champions"
    query = f"select max(moment) + interval 1 microsecond from ({told})"
    ((after,),) = db.execute(query).fetchall()
    now = datetime.now(UTC)
    return now if after is None else max(now, after)


def metric_file(store: Store) -> Path:
    """Where the metrics of a store are, as new as the remote has them."""
    path, shared = sharing(store)
    if shared:
        pull_metrics(shared)
    return path


def sharing(store: Store) -> tuple[Path, SharedFile | None]:
    """Where the metrics of a store are, and with whom they are shared."""
    path = store.root / "artifacts" / "metrics.duckdb"
    if store.remote is None:
        return path, None
    return path, SharedFile(
        path, RemoteStore(store.remote), path.relative_to(store.root).as_posix()
    )
