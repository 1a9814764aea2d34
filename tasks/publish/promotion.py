"""Decides from a run's published rows whether its adapter becomes champion."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.metrics_db import SQL
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import Challenge, Decision
from tasks.store.artifacts import Scores, ValidatedRatings

OVERALL = ("rmse", "ndcg")  # the checks over everyone that every comparison has


class Check(NamedTuple):
    """A condition for promotion: `value` is at most `threshold`; larger is worse."""

    check_name: str
    slice_value: str
    value: float
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the condition holds."""
        return self.value <= self.threshold


def decide(
    db: duckdb.DuckDBPyConnection,
    scores: Scores,
    ratings: ValidatedRatings,
    champions_ratings: ValidatedRatings | None,
    challenge: Challenge,
    at: datetime,
) -> None:
    """Insert the decision with its checks, unless the adapter has one already.

    `champions_ratings` are those that the champion was trained on; None without a champion.
    Raises ValueError where the run's scores do not compare the two.
    """
    run_id, challenger = scores.fingerprint, challenge.challenger.fingerprint
    if db.execute("select 1 from champions where adapter = ?", [challenger]).fetchone():
        return
    checks: list[Check] = []
    decision, champion = challenge.default_decision, challenge.missing
    if challenge.champion and champions_ratings:
        champion = challenge.champion.fingerprint
        checks = [
            *check_scores(db, run_id, challenge.margins),
            *check_drift(db, ratings, champions_ratings, challenge.margins),
        ]
        failed = [check for check in checks if not check.passed]
        decision = Decision(not failed, _explain(failed or _overall(checks)))
    for check in checks:
        row = [run_id, *check, check.passed]
        db.execute("insert into checks values (?, ?, ?, ?, ?, ?)", row)
    row = [run_id, at, challenger, champion, *decision]
    db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)


def check_scores(
    db: duckdb.DuckDBPyConnection, run_id: str, margins: PromotionMargins
) -> list[Check]:
    """What the language model of a run loses to the champion, overall and by slice.

    Raises ValueError where the run does not compare them.
    """
    checks = _run_checks(db, "checks", run_id=run_id, **margins.model_dump())
    if len(_overall(checks)) < len(OVERALL):
        raise ValueError(f"run {run_id} does not compare llm with the champion: nothing to decide")
    return checks


def check_drift(
    db: duckdb.DuckDBPyConnection,
    ratings: ValidatedRatings,
    champions_ratings: ValidatedRatings,
    margins: PromotionMargins,
) -> list[Check]:
    """How far a run's ratings are from those that the champion was trained on.

    The reference is not the last run's ratings: poisoned data stay until they are removed, and
    would pass as usual in the next run.
    """
    sources = {"ratings": ratings, "champions_ratings": champions_ratings}
    files = {
        name: [escape_glob(file) for file in source.files("ratings")]
        for name, source in sources.items()
    }
    return _run_checks(db, "drift", **files, **margins.model_dump())


def _run_checks(db: duckdb.DuckDBPyConnection, statement: str, **variables: Any) -> list[Check]:  # noqa: ANN401
    """The rows of a statement of sql/warehouse with these variables set."""
    for name, value in variables.items():
        db.execute(f"set variable {name} = ?", [value])
    return [Check(*row) for row in db.execute((SQL / f"{statement}.sql").read_text()).fetchall()]


def _overall(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.check_name in OVERALL]


def _explain(checks: Sequence[Check]) -> str:
    return "; ".join(
        f"{check.check_name} ({check.slice_value}): "
        f"{'' if check.check_name == 'data' else 'a loss of '}{check.value:.4f}, "
        f"{check.threshold:g} allowed"
        for check in checks
    )
