"""Separates valid rows from quarantined ones, and accounts for every row of every file."""

import shutil
from pathlib import Path
from typing import Any

import duckdb

from tasks.duckdb_paths import literal_path
from tasks.store.artifacts import FILM, RawRatings
from tasks.validate.clock import Bounds
from tasks.validate.enforce_limits import enforce_limits
from tasks.validate.expectations import evaluate
from tasks.validate.relations import connect, relation_queries, run_query, violates_any
from tasks.validate.row_counts import Counts, RowCounts, ValidCounts, count_by_source
from tasks.validate.rules import RULES, Relation
from tasks.validate.write_valid_ratings import write_valid_ratings

_DETAIL: dict[Relation, str] = {
    # Characters that act on a terminal, as U+202E, do not belong into a list of faults.
    "films": r"concat('film ', film_id, ': ', "
    r"regexp_replace(title, '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]', chr(65533), 'g'))",
    "ratings": "concat('user ', user_id, ', film ', film_id, ', rating ', rating, ', ', rated_at)",
}
_VIOLATIONS: dict[Relation, str] = {"films": "films", "ratings": "bad_ratings"}


def validate_tables(
    raw: RawRatings,
    draft: Path,
    *,
    bounds: Bounds,
    max_quarantined: float,
) -> dict[str, Any]:
    """Write valid ratings, valid films and the quarantine into `draft`; return the metadata.

    Of several ratings of a film by a user the newest is kept; of several films of one id, that of
    the last file. Raises UnfitDataError where too many rows go to quarantine.
    """
    spill = draft / ".spill"
    with connect(spill) as db:
        queries = relation_queries(raw.path, draft / "films.parquet", bounds)
        db.execute(f"create view films as {queries['films']}")
        rejects_file = literal_path(raw.path / "rejects.parquet")
        db.execute(f"create view rejects as from read_parquet({rejects_file})")
        films = _write_films(db, draft)
        db.execute(f"create view ratings as {queries['ratings']}")
        violation = violates_any("ratings")
        db.execute(f"create table bad_ratings as from ratings where {violation}")
        bad = count_by_source(db, "bad_ratings")
        valid = write_valid_ratings(
            db, raw.path / "ratings.parquet", draft, violation if bad else None
        )
        ratings = _count_ratings(db, bad, valid)
        queries["run"] = run_query(valid.daily_counts)
        outcomes = evaluate(queries, draft / "measured-docs")
        enforce_limits(db, outcomes, [films, ratings], max_quarantined)
        names = [source["name"] for source in raw.metadata["sources"]]
        _write_quarantine(db, names, draft)
    shutil.rmtree(spill, ignore_errors=True)
    return {
        "files": [entry for counts in (films, ratings) for entry in counts.by_file(names)],
        "rows": {counts.relation: counts.total() for counts in (films, ratings)},
        "rules": [outcome.to_dict() for outcome in outcomes if outcome.rule.relation != "run"],
        "scale": valid.scale,
        "last_day": max(valid.daily_counts).isoformat(),
        "rating_histogram": {str(value): n for value, n in valid.rating_histogram.items()},
    }


def _write_films(db: duckdb.DuckDBPyConnection, draft: Path) -> RowCounts:
    """Write films.parquet from the view `films`; count its rows."""
    violation = violates_any("films")
    db.execute(f"""
        create table good_films as
        select *, row_number() over (partition by film_id order by source desc, line) as place
        from films where not ({violation})""")
    db.execute(
        f"""copy (select {", ".join(FILM)} from good_films where place = 1 order by film_id)
        to $file (format parquet)""",
        {"file": str(draft / "films.parquet")},
    )
    rejected = count_by_source(db, "rejects where relation = 'films'")
    return RowCounts(
        "films",
        read=count_by_source(db, "films") + rejected,
        quarantined=count_by_source(db, f"films where {violation}") + rejected,
        deduplicated=count_by_source(db, "good_films where place > 1"),
        kept=count_by_source(db, "good_films where place = 1"),
    )


def _count_ratings(db: duckdb.DuckDBPyConnection, bad: Counts, valid: ValidCounts) -> RowCounts:
    rejected = count_by_source(db, "rejects where relation = 'ratings'")
    read = count_by_source(db, "ratings") + rejected
    return RowCounts("ratings", read, bad + rejected, valid.deduplicated, valid.kept)


def _write_quarantine(db: duckdb.DuckDBPyConnection, names: list[str], draft: Path) -> None:
    """Write the rejects, and one row for each rule that a row violates."""
    violations = [
        f"""select '{rule.relation}' as relation, source, line, '{rule.name}' as rule,
            {_DETAIL[rule.relation]} as detail
            from {_VIOLATIONS[rule.relation]} where coalesce({rule.violation}, true)"""
        for rule in RULES
        if rule.severity == "quarantine"
    ]
    rows = " union all ".join(["select * from rejects", *violations])
    db.execute(
        f"""copy (
            select relation, list_extract($names, source + 1) as source, line, rule, detail
            from ({rows}) order by relation, source, line, rule
        ) to $file (format parquet)""",
        {"names": names, "file": str(draft / "quarantine.parquet")},
    )
