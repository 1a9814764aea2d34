"""Writes lists where readers take them from: files, a database, a key-value store.

A key-value store is reached by an entry point of an installed package, in the group
`content_advisor.key_value`: a function that is called with (key, value) pairs of text and the
manifest as a dictionary, before the files are swapped. Keys are `user:196`, values JSON. Where it
raises, nothing is swapped; a rerun calls it again, so it has to overwrite.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

GROUP = "content_advisor.key_value"
DATABASE = "recommendations.duckdb"
KeyValueSink = Callable[[Iterable[tuple[str, str]], Mapping[str, Any]], None]
COMMENTS = Path(__file__).resolve().parents[2] / "sql" / "serving" / "recommendations.sql"


def write_parquet(table: pl.DataFrame, folder: Path) -> None:
    """recommendations.parquet: all columns."""
    table.write_parquet(folder / "recommendations.parquet")


def write_csv(table: pl.DataFrame, folder: Path) -> None:
    """recommendations.csv, without texts: a spreadsheet would take some for formulas."""
    table.drop("title", "genres").write_csv(folder / "recommendations.csv", datetime_format="%+")


FILES: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "parquet": write_parquet,
    "csv": write_csv,
}


def write_database(everyone: pl.DataFrame, folder: Path) -> None:
    """The table `recommendations` of a DuckDB file, with the meaning of its columns."""
    with duckdb.connect(str(folder / DATABASE)) as db:
        db.execute("set timezone = 'UTC'")
        db.execute("create table recommendations as select * from everyone")
        db.execute(COMMENTS.read_text())


def find_key_value_sink(name: str) -> KeyValueSink:
    """The function behind an entry point. Raises ValueError where none has that name."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ValueError(f'no entry point "{name}" in {GROUP}: there are {known}')
    sink: KeyValueSink = found[name].load()
    return sink


def iter_pairs(table: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """`user:196` and that user's list as JSON, user by user."""
    for (user,), rows in table.group_by("user_id", maintain_order=True):
        films = rows.drop("user_id", "valid_from").to_dicts()
        valid_from = rows["valid_from"][0].isoformat()
        yield f"user:{user}", json.dumps({"valid_from": valid_from, "films": films})
