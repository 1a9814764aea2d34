"""Parts what can be trusted from what is set aside, and accounts for every row of every file."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tasks.artifacts import FILM, RawRatings
from tasks.validate.account import Account, counted, plus, tally_ratings
from tasks.validate.expectations import evaluate
from tasks.validate.judge import Limits, judge
from tasks.validate.keep import keep_ratings
from tasks.validate.relations import bad, night, opened, relations
from tasks.validate.rules import RULES, Relation

_DETAIL: dict[Relation, str] = {
    "films": "concat('film ', film_id, ': ', title)",
    "ratings": "concat('user ', user_id, ', film ', film_id, ', rating ', rating, ', ', rated_at)",
}


def sift(
    raw: RawRatings, draft: Path, *, now: datetime, config: Limits, before: dict[str, Any] | None
) -> dict[str, Any]:
    """Write trusted ratings, films and the quarantine into `draft`; return the account.

    Of several ratings of a film by a user the newest is kept; of several films of one id, that of
    the last file. `before` is what the last night noted, None where there was none.
    Raises UnfitDataError where a rule that stops the night is broken, or too much is set aside.
    """
    with opened() as db:
        asked = relations(raw.path, draft / "films.parquet", now)
        db.execute(f"create view films as {asked['films']}")
        db.execute(f"create view rejects as from read_parquet('{raw.path}/rejects.parquet')")
        films = _keep_films(db, draft)
        db.execute(f"create view ratings as {asked['ratings']}")
        tally = tally_ratings(db)
        asked["night"] = night(tally.by_star, tally.by_day, before)
        outcomes = evaluate(asked, draft / "measured-docs")
        rejected = counted(db, "rejects where relation = 'ratings'")
        aside = plus(tally.set_aside, rejected)
        came = plus(tally.came, rejected)
        judge(db, outcomes, {"films": films.total(), "ratings": _totals(came, aside)}, config)
        dirty = bad("ratings") if tally.set_aside else None
        kept, folded = keep_ratings(db, raw.path / "ratings.parquet", draft, dirty)
        names = [source["name"] for source in raw.notes["sources"]]
        _quarantine(db, names, draft)
    accounts = [films, Account("ratings", came, aside, folded, kept)]
    return {
        "files": [entry for account in accounts for entry in account.by_file(names)],
        "rows": {account.relation: account.total() for account in accounts},
        "rules": [outcome.told for outcome in outcomes if outcome.rule.relation != "night"],
        "scale": tally.scale,
        "by_star": {str(star): n for star, n in tally.by_star.items()},
    }


def _totals(came: dict[int, int], aside: dict[int, int]) -> dict[str, int]:
    return {"came": sum(came.values()), "set_aside": sum(aside.values()), "kept": 0}


def _keep_films(db: duckdb.DuckDBPyConnection, draft: Path) -> Account:
    """Write films.parquet from the view `films`; account for its rows."""
    db.execute(f"""
        create table kept_films as
        select {", ".join(FILM)}, source from films where not ({bad("films")})
        qualify row_number() over (partition by film_id order by source desc, line) = 1
        order by film_id""")
    db.execute(f"""
        copy (select {", ".join(FILM)} from kept_films)
        to '{draft}/films.parquet' (format parquet)""")
    rejected = counted(db, "rejects where relation = 'films'")
    broken = counted(db, f"films where {bad('films')}")
    typed, kept = counted(db, "films"), counted(db, "kept_films")
    folded = {n: typed[n] - broken.get(n, 0) - kept.get(n, 0) for n in typed}
    return Account("films", plus(typed, rejected), plus(broken, rejected), folded, kept)


def _quarantine(db: duckdb.DuckDBPyConnection, names: list[str], draft: Path) -> None:
    """Write one row a broken rule for what was set aside, and for what could not be typed."""
    broken = [
        f"""select '{rule.relation}' as relation, source, line, '{rule.name}' as rule,
            {_DETAIL[rule.relation]} as detail
            from {rule.relation} where coalesce({rule.bad}, true)"""
        for rule in RULES
        if rule.severity == "set aside"
    ]
    rows = " union all ".join(["select * from rejects", *broken])
    db.execute(
        f"""copy (
            select relation, list_extract($names, source + 1) as source, line, rule, detail
            from ({rows}) order by relation, source, line, rule
        ) to '{draft}/quarantine.parquet' (format parquet)""",
        {"names": names},
    )
