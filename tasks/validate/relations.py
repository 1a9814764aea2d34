"""The relations that rules speak of, as DuckDB queries over the raw Parquet files."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from tasks.duckdb_paths import literal_path
from tasks.validate.rules import RULES, Relation

Relations = dict[Relation, str]


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in UTC that uses at most 1 GB and two threads, and spills into a folder."""
    db = duckdb.connect(config={"threads": 2, "memory_limit": "1GB", "temp_directory": str(spill)})
    db.execute("set timezone = 'UTC'")
    return db


def relation_queries(raw: Path, valid_films: Path, now: datetime) -> Relations:
    """The query of each table: its file and the columns that rules need beside it."""
    now_column = f"timestamptz '{now.isoformat()}' as now"
    return {
        "films": f"""
            select *, {now_column}, min(line) over (partition by film_id, source) as first_line
            from read_parquet({literal_path(raw / "films.parquet")})""",
        "ratings": f"""
            select *, {now_column},
                film_id in (select film_id from read_parquet({literal_path(valid_films)}))
                    as film_is_known
            from read_parquet({literal_path(raw / "ratings.parquet")})""",
    }


def run_query(
    histogram: dict[float, int], daily_counts: dict[date, int], previous: dict[str, Any] | None
) -> str:
    """The one row of the relation `run`.

    `previous` is the metadata of the last validation; without it, the run is compared with itself.
    """
    before = histogram
    if previous:
        before = {float(value): n for value, n in previous["rating_histogram"].items()}
    days = sorted(daily_counts)[-29:]
    usual = sorted(daily_counts[day] for day in days[:-1] or days)
    return f"""
        select {sum(histogram.values())} as rows, {sum(before.values())} as rows_before,
            {_total_variation(histogram, before)} as shift,
            {daily_counts[days[-1]] if days else 0} as last_day,
            {usual[len(usual) // 2] if usual else 0} as usual_day"""


def violates_any(relation: Relation) -> str:
    """The condition of a row that goes to quarantine."""
    return " or ".join(
        f"coalesce({rule.violation}, true)"
        for rule in RULES
        if rule.relation == relation and rule.severity == "quarantine"
    )


def _total_variation(now: dict[float, int], before: dict[float, int]) -> float:
    """The share of ratings that would have to move: half the sum of absolute differences."""
    shares = [{v: n / max(1, sum(d.values())) for v, n in d.items()} for d in (now, before)]
    values = shares[0].keys() | shares[1].keys()
    return round(sum(abs(shares[0].get(v, 0) - shares[1].get(v, 0)) for v in values) / 2, 6)
