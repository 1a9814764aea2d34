"""The rows that a night adds to each table of the metric file."""

from collections.abc import Sequence
from datetime import date, datetime

import duckdb

from tasks.duckdb_paths import escape_glob
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
    ValidatedRatings,
)

TABLES = {  # table of the metric file: (kind of artifact, its table)
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
    night: Sequence[Artifact],
    *,
    profile: str,
    commit: str | None,
    at: datetime,
) -> None:
    """Insert everything that the metric file keeps of a run."""
    run_id, notes = scores.fingerprint, scores.metadata
    row = [run_id, at, profile, notes["dataset"], notes["protocol"], commit, _as_of(night)]
    db.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?)", row)
    handles = [*night, scores]
    scored = [parent["fingerprint"] for parent in scores.manifest["parents"]]
    for place, handle in enumerate(handles, start=1):
        cost = handle.cost
        measured = [cost[n] for n in ("seconds", "cpu_seconds", "peak_bytes", "bytes", "rows")]
        row = [run_id, place, handle.kind(), handle.fingerprint, handle.cache_hit, *measured]
        db.execute(f"insert into stages values ({', '.join('?' * len(row))})", row)
        for parent in handle.manifest["parents"]:
            row = [run_id, handle.kind(), handle.fingerprint, parent["kind"], parent["fingerprint"]]
            db.execute("insert into lineage values (?, ?, ?, ?, ?)", row)
        if isinstance(handle, Prompts):
            _insert_shards(db, run_id, handle)
    for table, (kind, name) in TABLES.items():
        found = [handle for handle in handles if isinstance(handle, kind)]
        if kind in (RatingPredictions, RankedLists):  # not what only helps to rank
            found = [handle for handle in found if handle.fingerprint in scored]
        files = [escape_glob(file) for handle in found for file in handle.files(name)]
        if files:  # a night that trained nothing has no losses to tell
            db.execute(
                f"insert into {table} by name select ? as run_id, * from read_parquet(?)",
                [run_id, files],
            )


def _as_of(night: Sequence[Artifact]) -> date | None:
    """The day that a night looks back to."""
    for handle in night:
        if isinstance(handle, RawRatings):
            return handle.as_of
    return None


def _insert_shards(db: duckdb.DuckDBPyConnection, run_id: str, prompts: Prompts) -> None:
    """Which users each file of the prompts tells of."""
    db.execute(
        """
        insert into shards
        select ?, ?, parse_filename(filename), min(user_id), max(user_id), count(*)
        from read_parquet(?, filename = true) group by filename""",
        [run_id, prompts.fingerprint, [escape_glob(file) for file in prompts.files("examples")]],
    )
