"""Decides from a run's published rows whether its adapter becomes champion."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.metrics_db import SQL
from tasks.publish.config import PromotionMargins
from tasks.publish.contest import Contest, insert_contest
from tasks.publish.opponent import (
    Challenge,
    ChampionChangedError,
    Decision,
    champion_of,
    decided_opponent,
)
from tasks.publish.serving import begin_serving
from tasks.store.artifacts import Scores, SplitRatings, ValidatedRatings

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
    split: SplitRatings,
    ratings: ValidatedRatings,
    champions_ratings: ValidatedRatings | None,
    challenge: Challenge,
    contest: Contest | None,
    at: datetime,
) -> None:
    """Insert the decision with its checks, unless the adapter has one already.

    `champions_ratings` are those that the champion was trained on; None without a champion, as
    `contest` is. Raises ValueError where the scores do not compare the two, ChampionChangedError
    where another champion was promoted after the challenge was made.
    """
    run_id, challenger = scores.fingerprint, challenge.challenger.fingerprint
    if decided_opponent(db, challenge.challenger):
        return
    if (current := champion_of(db, split)) != challenge.expected:
        raise ChampionChangedError(
            f"{challenger} was compared with {challenge.expected or 'no champion'}, and "
            f"{current or 'none'} is champion now"
        )
    checks: list[Check] = []
    decision, champion = challenge.default_decision, challenge.missing
    if challenge.champion:
        if contest is None or champions_ratings is None:
            raise ValueError(
                f"{challenger} has a champion to compare with, and no scores beside it"
            )
        champion = challenge.champion.fingerprint
        insert_contest(db, run_id, contest)
        checks = compare(db, contest, ratings, champions_ratings, challenge)
        failed = [check for check in checks if not check.passed]
        by_checks = Decision(not failed, _explain(failed or _overall(checks)))
        decision = challenge.by_hand or by_checks
    for check in checks:
        row = [run_id, *check, check.passed]
        db.execute("insert into checks values (?, ?, ?, ?, ?, ?)", row)
    row = [run_id, at, challenger, champion, *decision]
    db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)
    if decision.promoted:
        begin_serving(db, run_id, at)


def compare(
    db: duckdb.DuckDBPyConnection,
    contest: Contest,
    ratings: ValidatedRatings,
    champions_ratings: ValidatedRatings,
    challenge: Challenge,
) -> list[Check]:
    """All checks of a challenge, in any database.

    Raises ValueError where the scores do not compare what is served.
    """
    return [
        *check_scores(db, contest, challenge.margins, with_best=challenge.best is not None),
        *check_drift(db, ratings, champions_ratings, challenge.margins),
    ]


def is_borderline(checks: Sequence[Check], within: float) -> bool:
    """Whether the check that decides misses or holds its margin by a share of it of `within`."""
    distances = [
        (check.value - check.threshold) / check.threshold if check.threshold else math.inf
        for check in checks
        if check.threshold or not check.passed
    ]
    return bool(within) and abs(max(distances)) <= within


def check_scores(
    db: duckdb.DuckDBPyConnection,
    contest: Contest,
    margins: PromotionMargins,
    *,
    with_best: bool = False,
) -> list[Check]:
    """What is lost of the served ratings and lists, overall and by slice.

    Raises ValueError where the scores do not compare them.
    """
    checks = _run_checks(db, "checks", **contest.variables, **margins.model_dump())
    needed = {*OVERALL, *(f"{name} of the best" for name in OVERALL if with_best)}
    if missing := needed - {check.check_name for check in checks}:
        raise ValueError(
            f"the scores {contest.decides.fingerprint} do not compare {contest.ratings} and "
            f"{contest.lists} with the champion's: nothing to decide by {min(missing)}"
        )
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
    return [
        check
        for check in checks
        if check.check_name.startswith(OVERALL) and check.slice_value == "everyone"
    ]


def _explain(checks: Sequence[Check]) -> str:
    return "; ".join(
        f"{check.check_name} ({check.slice_value}): "
        f"{'' if check.check_name == 'data' else 'a loss of '}{check.value:.4f}, "
        f"{check.threshold:g} allowed"
        for check in checks
    )
