"""Inserts the rows of a run into each table of the metrics database."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.publish.serving import hash_recipe
from tasks.published_files import RELATIONS, file_name
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
    StageForecast,
)

TABLES = {  # table of the metrics database: (kind of artifact, its table)
    "training": (Adapter, "history"),
    "forecasts": (StageForecast, "stages"),
    "ablations": (AblationScores, "ablations"),
    "memorization": (MemorizationScores, "memorization"),
}
OVERALL = {"overall_metrics": "metrics", "overall_comparisons": "comparisons"}  # those of Scores
LONGEST_SETTING = 200  # characters of its JSON


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
    db.execute("begin")  # statement by statement, 200 rows take a second
    row = [run_id, at, profile, metadata["dataset"], metadata["protocol"], commit, as_of, recipe]
    db.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    stages = [*artifacts, scores]
    for place, artifact in enumerate(stages, start=1):
        _insert_stage(db, run_id, place, artifact)
        if isinstance(artifact, Prompts):
            _insert_shards(db, run_id, artifact)
    _insert_settings(db, run_id, stages)
    _insert_tables(db, scores, stages)
    _insert_files(db, scores, stages)
    db.execute("commit")


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


def _insert_settings(
    db: duckdb.DuckDBPyConnection, run_id: str, stages: Sequence[Artifact]
) -> None:
    """Insert the leaves of each artifact's recipe, as JSON, and its code's version, once each."""
    manifests = [(artifact.kind(), artifact.manifest) for artifact in stages]
    found = {
        (kind, name, value)
        for kind, manifest in manifests
        for name, value in _leaves({"code": manifest["code"], **manifest["recipe"]})
    }
    columns = [list(column) for column in zip(*sorted(found), strict=True)]
    db.execute("insert into settings select ?, unnest(?), unnest(?), unnest(?)", [run_id, *columns])


def _leaves(recipe: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and JSON of each value; of what is longer than a setting, such as SQL, a hash."""
    for name, value in recipe.items():
        text = json.dumps(value, sort_keys=True)
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        elif len(text) <= LONGEST_SETTING:
            yield path + name, text
        else:
            yield path + name, hashlib.sha256(text.encode()).hexdigest()[:16]


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
    """Copy the artifacts' small tables; of the scores what is over everyone."""
    run_id = scores.fingerprint
    for table, (kind, name) in TABLES.items():
        found = [artifact for artifact in stages if isinstance(artifact, kind)]
        files = [escape_glob(file) for artifact in found for file in artifact.files(name)]
        if files:  # a rescored run has no training, for example
            db.execute(
                f"insert into {table} by name select ? as run_id, * from read_parquet(?)",
                [run_id, files],
            )
    for table, name in OVERALL.items():
        db.execute(
            f"insert into {table} by name select ? as run_id, * exclude (slice, slice_value) "
            "from read_parquet(?) where slice = 'everyone'",
            [run_id, [escape_glob(file) for file in scores.files(name)]],
        )


def _insert_files(
    db: duckdb.DuckDBPyConnection, scores: Scores, stages: Sequence[Artifact]
) -> None:
    """Insert the names of the run's files; of predictions and lists only those that were scored."""
    scored = {parent["fingerprint"] for parent in scores.manifest["parents"]}
    for relation, (kind, name) in RELATIONS.items():
        for artifact in dict.fromkeys(made for made in stages if isinstance(made, kind)):
            if artifact.fingerprint in scored or kind not in (RatingPredictions, RankedLists):
                for file in artifact.files(name):
                    row = [scores.fingerprint, relation, file_name(file)]
                    db.execute("insert into published_files values (?, ?, ?)", row)
