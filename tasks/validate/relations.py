"""The relations that rules speak of, as DuckDB queries over the raw Parquet files."""

from datetime import date
from pathlib import Path

import duckdb

from tasks.duckdb_paths import literal_path
from tasks.validate.clock import Bounds
from tasks.validate.rules import RULES, Relation

Relations = dict[Relation, str]


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in UTC that uses at most 1 GB and two threads, and spills into a folder."""
    db = duckdb.connect(config={"threads": 2, "memory_limit": "1GB", "temp_directory": str(spill)})
    db.execute("set timezone = 'UTC'")
    return db


def relation_queries(raw: Path, valid_films: Path, bounds: Bounds) -> Relations:
    """The query of each table: its file and the columns that rules need beside it."""
    newest = f"timestamptz '{bounds.newest_rating.isoformat()}'" if bounds.newest_rating else "null"
    return {
        "films": f"""
            select *, {bounds.latest_year} as latest_year,
                min(line) over (partition by film_id, source) as first_line
            from read_parquet({literal_path(raw / "films.parquet")})""",
        "ratings": f"""
            select *, {newest} as newest_rating,
                film_id in (select film_id from read_parquet({literal_path(valid_films)}))
                    as film_is_known
            from read_parquet({literal_path(raw / "ratings.parquet")})""",
    }


def run_query(daily_counts: dict[date, int]) -> str:
    """The one row of the relation `run`."""
    days = sorted(daily_counts)[-29:]
    usual = sorted(daily_counts[day] for day in days[:-1] or days)
    return f"""
        select {daily_counts[days[-1]] if days else 0} as last_day,
            {usual[len(usual) // 2] if usual else 0} as usual_day"""


def violates_any(relation: Relation) -> str:
    """The condition of a row that goes to quarantine."""
    return " or ".join(
        f"coalesce({rule.violation}, true)"
        for rule in RULES
        if rule.relation == relation and rule.severity == "quarantine"
    )
