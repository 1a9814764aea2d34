"""Parts what can be trusted from what is set aside, and accounts for every row."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tasks.artifacts import FILM, RATING, RawRatings
from tasks.validate.config import Validate
from tasks.validate.expectations import Outcome, evaluate
from tasks.validate.rules import RULES, Rule

_DETAIL = {
    "films": "concat('film ', film_id, ': ', title)",
    "ratings": "concat('user ', user_id, ', film ', film_id, ', rating ', rating, ', ', rated_at)",
}


class UnfitDataError(Exception):
    """The data is not fit to be learnt from."""


def sift(raw: RawRatings, draft: Path, *, now: datetime, config: Validate) -> dict[str, Any]:
    """Write trusted ratings, films and the quarantine into `draft`; return the account.

    Of several ratings of a film by a user the newest is kept, the last line of equals.
    Raises UnfitDataError where a rule that stops the night is broken, or too much is set aside.
    """
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute("set timezone = 'UTC'")
        relations = _relations(raw, now)
        for name, query in relations.items():
            db.execute(f"create view {name} as {query}")
        db.execute(f"create view rejects as from read_parquet('{raw.path}/rejects.parquet')")
        outcomes = evaluate(relations, draft / "measured-docs")
        account = _keep(db, draft)
        _judge(outcomes, account, config)
        _quarantine(db, raw, draft)
    return {
        "rows": account,
        "rules": [
            {"rule": o.rule.name, "severity": o.rule.severity, "broken": o.broken} for o in outcomes
        ],
    }


def _relations(raw: RawRatings, now: datetime) -> dict[str, str]:
    """The query behind each relation: its file, and what the rules ask for beside it."""
    ratings, films = (raw.path / f"{name}.parquet" for name in ("ratings", "films"))
    return {
        "films": f"""
            select *, min(line) over (partition by film_id) as first_line
            from read_parquet('{films}')""",
        "ratings": f"""
            select *, timestamptz '{now.isoformat()}' as now,
                film_id in (select film_id from read_parquet('{films}')) as film_is_known
            from read_parquet('{ratings}')""",
    }


def _bad(relation: str) -> str:
    """A condition: the row is to be set aside."""
    return " or ".join(f"({rule.bad})" for rule in RULES if _sets_aside(rule, relation))


def _sets_aside(rule: Rule, relation: str) -> bool:
    return rule.relation == relation and rule.severity == "set aside"


def _keep(db: duckdb.DuckDBPyConnection, draft: Path) -> dict[str, dict[str, int]]:
    """Write what is trusted; account for the rows of each relation."""
    films, ratings = ", ".join(FILM), ", ".join(RATING)
    db.execute(f"""
        create table kept_films as
        select {films} from films where not ({_bad("films")}) order by film_id""")
    db.execute(f"""
        create table kept_ratings as
        select {ratings} from ratings where not ({_bad("ratings")})
        window newest as (partition by user_id, film_id order by rated_at desc, line desc)
        qualify row_number() over newest = 1
        order by user_id, rated_at, film_id""")
    for name in ("films", "ratings"):
        db.execute(f"copy kept_{name} to '{draft / name}.parquet' (format parquet)")
    return {name: _account(db, name) for name in ("films", "ratings")}


def _account(db: duckdb.DuckDBPyConnection, name: str) -> dict[str, int]:
    """Rows that came, were typed, set aside, folded and kept; asserts that none is missing."""
    typed = _count(db, f"select count(*) from {name}")
    rejected = _count(db, f"select count(*) from rejects where relation = '{name}'")
    aside = _count(db, f"select count(*) from {name} where {_bad(name)}")
    kept = _count(db, f"select count(*) from kept_{name}")
    folded = typed - aside - kept
    assert folded >= 0, f"{name}: kept {kept} of {typed} rows, of which {aside} were set aside"
    came = typed + rejected
    return {"came": came, "set_aside": aside + rejected, "folded": folded, "kept": kept}


def _quarantine(db: duckdb.DuckDBPyConnection, raw: RawRatings, draft: Path) -> None:
    """Write one row a broken rule for what was set aside, and for what could not be typed."""
    sources = [source["name"] for source in raw.notes["sources"]]
    broken = [
        f"""select '{rule.relation}' as relation, source, line, '{rule.name}' as rule,
            {_DETAIL[rule.relation]} as detail from {rule.relation} where {rule.bad}"""
        for rule in RULES
        if rule.severity == "set aside"
    ]
    rows = " union all ".join(["select * from rejects", *broken])
    db.execute(
        f"""copy (
            select relation, list_extract($sources, source + 1) as source, line, rule, detail
            from ({rows}) order by relation, source, line, rule
        ) to '{draft}/quarantine.parquet' (format parquet)""",
        {"sources": sources},
    )


def _count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(db.execute(query).fetchall()[0][0])


def _judge(outcomes: list[Outcome], account: dict[str, dict[str, int]], config: Validate) -> None:
    """Raise UnfitDataError where the data is not fit."""
    for outcome in outcomes:
        if outcome.broken and outcome.rule.severity == "stop":
            raise UnfitDataError(f"{outcome.broken} rows break a rule: {outcome.rule.sentence}")
    for name, rows in account.items():
        if not rows["kept"]:
            raise UnfitDataError(f"no {name} are left of {rows['came']}: see what the source holds")
        if rows["set_aside"] > config.most_set_aside * rows["came"]:
            worst = max((o for o in outcomes if o.rule.relation == name), key=lambda o: o.broken)
            raise UnfitDataError(
                f"{rows['set_aside']} of {rows['came']} {name} would be set aside, more than the "
                f"{config.most_set_aside:.0%} allowed; most break: {worst.rule.sentence}"
            )
