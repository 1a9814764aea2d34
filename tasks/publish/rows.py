"""Inserts the rows of a run into each table of the metrics database."""

from collections.abc import Sequence
from datetime import datetime

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.publish.serving import hash_recipe
from tasks.store.artifacts import (
    AblationScores,
    Adapter,
    Artifact,
    MemorizationScores,
    Prompts,
    RankedLists,
    RatingPredictions,
    RawRatings,
    Scores,
    SplitRatings,
    ValidatedRatings,
)

TABLES = {  # table of the metrics database: (kind of artifact, its table)
    "metrics": (Scores, "metrics"),
    "comparisons": (Scores, "comparisons"),
    "rating_predictions": (RatingPredictions, "ratings"),
    "lists": (RankedLists, "lists"),
    "quarantine": (ValidatedRatings, "quarantine"),
    "films": (ValidatedRatings, "films"),
    "training": (Adapter, "history"),
    "ablations": (AblationScores, "ablations"),
    "memorization": (MemorizationScores, "memorization"),
}


def insert_run(
    db: duckdb.DuckDBPyConnection,
    scores: Scores,
    artifacts: Sequence[Artifact],
    *,
    profile: str,
    commit: str | None,
    at: datetime,
) -> None:
    """Insert a run, its stages with their lineage, and the tables of its artifacts."""
    run_id, metadata = scores.fingerprint, scores.metadata
    as_of = next((made.as_of for made in artifacts if isinstance(made, RawRatings)), None)
    split = next(made for made in artifacts if isinstance(made, SplitRatings))
    recipe = hash_recipe(split.manifest["recipe"])
    row = [run_id, at, profile, metadata["dataset"], metadata["protocol"], commit, as_of, recipe]
    db.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    stages = [*artifacts, scores]
    for place, artifact in enumerate(stages, start=1):
        _insert_stage(db, run_id, place, artifact)
        if isinstance(artifact, Prompts):
            _insert_shards(db, run_id, artifact)
    _insert_tables(db, scores, stages)


def _insert_stage(
    db: duckdb.DuckDBPyConnection, run_id: str, place: int, artifact: Artifact
) -> None:
    cost, name = artifact.cost, [artifact.kind(), artifact.fingerprint]
    measured = [cost[n] for n in ("seconds", "cpu_seconds", "peak_bytes", "bytes", "rows")]
    db.execute(
        "insert into stages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [run_id, place, *name, artifact.cache_hit, *measured],
    )
    for parent in artifact.manifest["parents"]:
        row = [run_id, *name, parent["kind"], parent["fingerprint"]]
        db.execute("insert into lineage values (?, ?, ?, ?, ?)", row)


def _insert_shards(db: duckdb.DuckDBPyConnection, run_id: str, prompts: Prompts) -> None:
    """Insert the range of users of each file of the prompts."""
    db.execute(
        """
        insert into shards
        select ?, ?, parse_filename(filename), min(user_id), max(user_id), count(*)
        from read_parquet(?, filename = true) group by filename""",
        [run_id, prompts.fingerprint, [escape_glob(file) for file in prompts.files("examples")]],
    )


def _insert_tables(
    db: duckdb.DuckDBPyConnection, scores: Scores, stages: Sequence[Artifact]
) -> None:
    """Copy the artifacts' tables; of predictions and lists only those that were scored."""
    scored = {parent["fingerprint"] for parent in scores.manifest["parents"]}
    for table, (kind, name) in TABLES.items():
        found = [artifact for artifact in stages if isinstance(artifact, kind)]
        if kind in (RatingPredictions, RankedLists):
            found = [artifact for artifact in found if artifact.fingerprint in scored]
        files = [escape_glob(file) for artifact in found for file in artifact.files(name)]
        if files:  # a rescored run has no training, for example
            db.execute(
                f"insert into {table} by name select ? as run_id, * from read_parquet(?)",
                [scores.fingerprint, files],
            )
