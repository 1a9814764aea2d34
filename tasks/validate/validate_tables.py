"""Parts what can be trusted from what is set aside, and accounts for every row of every file."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tasks.store.artifacts import FILM, RawRatings
from tasks.validate.enforce_limits import Limits, judge
from tasks.validate.expectations import evaluate
from tasks.validate.relations import bad, night, opened, relations
from tasks.validate.row_counts import Account, Counts, Tally, counted, plus
from tasks.validate.rules import RULES, Relation
from tasks.validate.write_valid_ratings import keep_ratings

_DETAIL: dict[Relation, str] = {
    "films": "concat('film ', film_id, ': ', title)",
    "ratings": "concat('user ', user_id, ', film ', film_id, ', rating ', rating, ', ', rated_at)",
}
_BAD: dict[Relation, str] = {"films": "films", "ratings": "bad_ratings"}  # where bad rows are


def sift(
    raw: RawRatings, draft: Path, *, now: datetime, config: Limits, before: dict[str, Any] | None
) -> dict[str, Any]:
    """Write trusted ratings, films and the quarantine into `draft`; return the account.

    Of several ratings of a film by a user the newest is kept; of several films of one id, that of
    the last file. `before` is what the last night noted, None where there was none.
    Raises UnfitDataError where a rule that stops the night is broken, or too much is set aside.
    """
    spill = draft / ".spill"
    with opened(spill) as db:
        asked = relations(raw.path, draft / "films.parquet", now)
        db.execute(f"create view films as {asked['films']}")
        db.execute(f"create view rejects as from read_parquet('{raw.path}/rejects.parquet')")
        films = _keep_films(db, draft)
        db.execute(f"create view ratings as {asked['ratings']}")
        db.execute(f"create table bad_ratings as from ratings where {bad('ratings')}")
        broken = counted(db, "bad_ratings")
        tally = keep_ratings(
            db, raw.path / "ratings.parquet", draft, bad("ratings") if broken else None
        )
        ratings = _ratings_account(db, broken, tally)
        asked["night"] = night(tally.by_star, tally.by_day, before)
        outcomes = evaluate(asked, draft / "measured-docs")
        judge(db, outcomes, {"films": films.total(), "ratings": ratings.total()}, config)
        names = [source["name"] for source in raw.metadata["sources"]]
        _quarantine(db, names, draft)
    shutil.rmtree(spill, ignore_errors=True)
    return {
        "files": [entry for of in (films, ratings) for entry in of.by_file(names)],
        "rows": {of.relation: of.total() for of in (films, ratings)},
        "rules": [outcome.told for outcome in outcomes if outcome.rule.relation != "night"],
        "scale": tally.scale,
        "by_star": {str(star): n for star, n in tally.by_star.items()},
    }


def _keep_films(db: duckdb.DuckDBPyConnection, draft: Path) -> Account:
    """Write films.parquet from the view `films`; account for its rows."""
    db.execute(f"""
        create table good_films as
        select *, row_number() over (partition by film_id order by source desc, line) as place
        from films where not ({bad("films")})""")
    db.execute(f"""
        copy (select {", ".join(FILM)} from good_films where place = 1 order by film_id)
        to '{draft}/films.parquet' (format parquet)""")
    rejected = counted(db, "rejects where relation = 'films'")
    return Account(
        "films",
        came=plus(counted(db, "films"), rejected),
        set_aside=plus(counted(db, f"films where {bad('films')}"), rejected),
        folded=counted(db, "good_films where place > 1"),
        kept=counted(db, "good_films where place = 1"),
    )


def _ratings_account(db: duckdb.DuckDBPyConnection, broken: Counts, tally: Tally) -> Account:
    rejected = counted(db, "rejects where relation = 'ratings'")
    came = plus(counted(db, "ratings"), rejected)
    return Account("ratings", came, plus(broken, rejected), tally.folded, tally.kept)


def _quarantine(db: duckdb.DuckDBPyConnection, names: list[str], draft: Path) -> None:
    """Write one row a broken rule for what was set aside, and for what could not be typed."""
    broken = [
        f"""select '{rule.relation}' as relation, source, line, '{rule.name}' as rule,
            {_DETAIL[rule.relation]} as detail
            from {_BAD[rule.relation]} where coalesce({rule.bad}, true)"""
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
