"""Writes lists where readers take them from: files, a database, pairs for a key-value store."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl

DATABASE = "recommendations.duckdb"
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


def iter_pairs(table: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """`user:196` and that user's list as JSON, user by user."""
    for (user,), rows in table.group_by("user_id", maintain_order=True):
        films = rows.drop("user_id", "valid_from").to_dicts()
        valid_from = rows["valid_from"][0].isoformat()
        yield f"user:{user}", json.dumps({"valid_from": valid_from, "films": films})
