"""Decides whether a night's adapter becomes champion, from what was published of the night."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.metrics_db import SQL
from tasks.publish.config import Contest, Margins
from tasks.store.artifacts import Scores, ValidatedRatings

LEADING = ("rmse", "ndcg")  # over everyone


class Check(NamedTuple):
    """One thing that must hold: `value` at most `threshold`, larger being worse."""

    check_name: str
    slice_value: str
    value: float
    threshold: float


def decide(
    db: duckdb.DuckDBPyConnection,
    scores: Scores,
    ratings: ValidatedRatings,
    learnt: ValidatedRatings | None,
    contest: Contest,
    at: datetime,
) -> None:
    """Insert the decision with its checks; an adapter that was decided on before is left alone.

    `learnt` are the ratings that the champion has learnt from; None where there is no champion.
    """
    run_id, challenger = scores.fingerprint, contest.challenger.fingerprint
    if db.execute("select 1 from champions where adapter = ?", [challenger]).fetchone():
        return
    checks: list[Check] = []
    if learnt is None:
        promoted, reason = contest.settled
    else:
        checks = [
            *_checks_of_scores(db, run_id, contest),
            *drift(db, ratings, learnt, contest.margins),
        ]
        broken = [check for check in checks if check.value > check.threshold]
        promoted, reason = not broken, _in_words(broken or _leading(checks))
    champion = None if contest.champion is None else contest.champion.fingerprint
    for check in checks:
        row = [run_id, *check, check.value <= check.threshold]
        db.execute("insert into checks values (?, ?, ?, ?, ?, ?)", row)
    row = [run_id, at, challenger, champion, promoted, reason]
    db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)


def _checks_of_scores(db: duckdb.DuckDBPyConnection, run_id: str, contest: Contest) -> list[Check]:
    """Raises ValueError where the two were not compared."""
    found = _checks(db, "checks", run_id=run_id, **contest.margins.model_dump())
    if len(_leading(found)) < len(LEADING):
        raise ValueError(f"run {run_id} does not compare llm with the champion: nothing to decide")
    return found


def drift(
    db: duckdb.DuckDBPyConnection,
    ratings: ValidatedRatings,
    learnt: ValidatedRatings,
    margins: Margins,
) -> list[Check]:
    """How far a night's ratings are from those that the champion has learnt from.

    Beside these, and not beside the last night's: what is poisoned stays so until it is taken
    away, and would be found usual on the next night.
    """
    files = {"ratings": ratings.files("ratings"), "learnt": learnt.files("ratings")}
    told = {name: [escape_glob(file) for file in found] for name, found in files.items()}
    return _checks(db, "drift", **told, **margins.model_dump())


def _checks(db: duckdb.DuckDBPyConnection, statement: str, **variables: Any) -> list[Check]:  # noqa: ANN401
    """What a statement of sql/warehouse finds with these variables set."""
    for name, value in variables.items():
        db.execute(f"set variable {name} = ?", [value])
    return [Check(*row) for row in db.execute((SQL / f"{statement}.sql").read_text()).fetchall()]


def _leading(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.check_name in LEADING]


def _in_words(checks: Sequence[Check]) -> str:
    def found(check: Check) -> str:
        return f"{'' if check.check_name == 'data' else 'a loss of '}{check.value:.4f}"

    return "; ".join(
        f"{check.check_name} ({check.slice_value}): {found(check)}, {check.threshold:g} allowed"
        for check in checks
    )


def go_back(db: duckdb.DuckDBPyConnection, to: str, at: datetime) -> str:
    """Insert the decision of a person for another adapter of the newest champion's kind.

    `to` is the beginning of its fingerprint: of an earlier champion, or of one that was turned
    down; empty for the champion before. Raises LookupError where there is no such one, or more
    than one.
    """
    now = db.execute("select adapter, dataset, protocol from champion").fetchone()
    if now is None:
        raise LookupError("there is no champion yet: run `make nightly` first")
    current, *kind = now
    earlier = db.execute(
        "select adapter, arg_max(run_id, decided_at) from champions join runs using (run_id) "
        "where (promoted or ?) and adapter <> ? and dataset = ? and protocol = ? "
        "group by adapter order by max(decided_at) desc",
        [bool(to), current, *kind],
    ).fetchall()
    meant = [row for row in earlier if row[0].startswith(to)]
    if not meant or (to and len(meant) > 1):
        there = ", ".join(row[0] for row in earlier) or "none"
        raise LookupError(f'{len(meant)} earlier champions begin with "{to}": there are {there}')
    adapter, run_id = meant[0]
    row = [run_id, at, adapter, current, True, "put back by hand"]
    db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)
    return str(adapter)
