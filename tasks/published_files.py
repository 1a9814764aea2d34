"""Lets readers of the metrics database see the Parquet files of published runs.

`published_files` names each run's files, relative to the store. The database's own views read them
with DuckDB, from the store's root; here temporary views of the same names do, from any folder: they
know only the files that are there, and need no access to files by DuckDB.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from tasks.store.artifacts import (
    Artifact,
    RankedLists,
    RatingPredictions,
    Scores,
    Table,
    ValidatedRatings,
)

RELATIONS: dict[str, tuple[type[Artifact], str]] = {  # view: (kind of artifact, its table)
    "rating_predictions": (RatingPredictions, "ratings"),
    "lists": (RankedLists, "lists"),
    "films": (ValidatedRatings, "films"),
    "quarantine": (ValidatedRatings, "quarantine"),
    "metric_files": (Scores, "metrics"),
    "comparison_files": (Scores, "comparisons"),
}
PRESENT = "create or replace temp view present_files as select file, file as opened_as from here"
READ = """
create or replace temp view {relation} as
from {relation}_here union all by name from earlier_{relation}"""


def root_of(metrics: Path) -> Path:
    """The store that a metrics database belongs to: the names of files are relative to it."""
    return metrics.parent.parent if metrics.parent.name == "artifacts" else metrics.parent


def file_name(file: Path) -> str:
    """The name of an artifact's file, relative to its store."""
    return "/".join(file.parts[-4:])


def write_empty_files(root: Path) -> None:
    """Write a file without rows for each relation, unless it is there.

    DuckDB refuses a pattern that no file matches.
    """
    import pyarrow.parquet

    for kind, name in RELATIONS.values():
        table = kind.tables[name]
        file = root / kind.top_level / kind.kind() / "none" / table.files.replace("*", "")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            pyarrow.parquet.write_table(_schema(table).empty_table(), file)


def show_files(db: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Define temporary views of the published files that are below `root`.

    A database of an earlier version has none: nothing is defined.
    """
    if not db.execute("from duckdb_tables() where table_name = 'published_files'").fetchone():
        return
    import pyarrow as pa

    folders = [folder for kind in _folders() for folder in _list(root, kind)]
    published = db.execute(
        "select run_id, relation, file from published_files "
        "where array_to_string(split(file, '/')[:3], '/') in (select unnest(?::varchar[]))",
        [folders],
    ).fetchall()
    exists = {file for file in {row[2] for row in published} if (root / file).is_file()}
    present = [row for row in published if row[2] in exists]
    names = sorted({file for _, _, file in present})
    db.register("here", pa.table({"file": pa.array(names, pa.string())}))
    db.execute(PRESENT)
    for relation, (kind, name) in RELATIONS.items():
        files = [(run, root / file) for run, of, file in present if of == relation]
        db.register(f"{relation}_here", _dataset(files, kind.tables[name]))
        db.execute(READ.format(relation=relation))


def _folders() -> list[str]:
    """Where the artifacts of published files are, below the store."""
    return sorted({f"{kind.top_level}/{kind.kind()}" for kind, _ in RELATIONS.values()})


def _list(root: Path, folder: str) -> list[str]:
    """The artifacts in a folder, which may not be there."""
    with suppress(FileNotFoundError):
        return [f"{folder}/{name}" for name in os.listdir(root / folder)]
    return []


def has_earlier_rows(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether runs that were published before they had files still have rows in the database."""
    return any(db.execute(f"from earlier_{name} limit 1").fetchone() for name in RELATIONS)


def delete_earlier_rows(db: duckdb.DuckDBPyConnection, kept: Sequence[str]) -> None:
    """Delete these rows of all but some runs, and let `missing_files` say so."""
    for name in RELATIONS:
        of_others = f"from earlier_{name} where run_id not in (select unnest(?::varchar[]))"
        db.execute(
            "insert into published_files "
            f"select distinct run_id, '{name}', 'rows in the database, deleted by gc' {of_others}",
            [kept],
        )
        db.execute(f"delete {of_others}", [kept])


def _dataset(files: Sequence[tuple[str, Path]], table: Table):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The rows of all files with their runs; a filter by run opens no other run's files."""
    import pyarrow as pa
    from pyarrow import dataset, fs

    schema = pa.schema([pa.field("run_id", pa.string()), *_schema(table)])
    if not files:
        return schema.empty_table()
    parquet, disk, run_id = (
        dataset.ParquetFileFormat(),
        fs.LocalFileSystem(),
        dataset.field("run_id"),
    )
    parts = [
        parquet.make_fragment(str(file), disk, partition_expression=run_id == run)
        for run, file in files
    ]
    return dataset.FileSystemDataset(parts, schema, parquet, disk)


def _schema(table: Table):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The promised columns of an artifact's table."""
    import pyarrow as pa

    def parse(name: str) -> pa.DataType:
        if name.startswith("list<"):
            return pa.list_(parse(name[5:-1]))
        return pa.type_for_alias(name)

    return pa.schema([(column, parse(type_)) for column, (type_, _) in table.columns.items()])
