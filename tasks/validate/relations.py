"""The relations that rules speak of, as DuckDB's SQL over a night's files."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from tasks.validate.rules import RULES, Relation

Relations = dict[Relation, str]


def opened(spill: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB that thinks in UTC and spills into a folder before it takes all memory."""
    db = duckdb.connect()
    db.execute(f"set threads = 2; set memory_limit = '1GB'; set temp_directory = '{spill}'")
    db.execute("set timezone = 'UTC'")
    return db


def relations(raw: Path, trusted_films: Path, now: datetime) -> Relations:
    """The query behind films and ratings: their file, and what the rules ask for beside it."""
    moment = f"timestamptz '{now.isoformat()}' as now"
    return {
        "films": f"""
            select *, {moment}, min(line) over (partition by film_id, source) as first_line
            from read_parquet('{raw / "films.parquet"}')""",
        "ratings": f"""
            select *, {moment},
                film_id in (select film_id from read_parquet('{trusted_films}')) as film_is_known
            from read_parquet('{raw / "ratings.parquet"}')""",
    }


def night(by_star: dict[float, int], by_day: dict[date, int], before: dict[str, Any] | None) -> str:
    """The one row that tells how this night's data lies beside the last night's.

    `before` is what the last night noted; without one this night is compared with itself.
    """
    rows = sum(by_star.values())
    last = {float(k): n for k, n in before["by_star"].items()} if before else by_star
    days = sorted(by_day)[-29:]
    usual = sorted(by_day[day] for day in days[:-1] or days)
    return f"""
        select {rows} as rows, {sum(last.values())} as rows_before,
            {_shift(by_star, last)} as shift,
            {by_day[days[-1]] if days else 0} as last_day,
            {usual[len(usual) // 2] if usual else 0} as usual_day"""


def bad(relation: Relation) -> str:
    """A condition: the row is to be set aside."""
    return " or ".join(
        f"coalesce({rule.bad}, true)"
        for rule in RULES
        if rule.relation == relation and rule.severity == "set aside"
    )


def _shift(now: dict[float, int], before: dict[float, int]) -> float:
    """Half the sum of differences between two distributions: the share that moved."""
    shares = [{k: n / max(1, sum(d.values())) for k, n in d.items()} for d in (now, before)]
    stars = shares[0].keys() | shares[1].keys()
    return round(sum(abs(shares[0].get(s, 0) - shares[1].get(s, 0)) for s in stars) / 2, 6)
