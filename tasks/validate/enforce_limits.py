"""Says whether a night may go on with the data that came."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import duckdb

from tasks.validate.expectations import Outcome

log = logging.getLogger(__name__)


class Limits(Protocol):
    """What of the settings matters here."""

    @property
    def most_set_aside(self) -> float:
        """Share of a relation's rows."""
        ...


class UnfitDataError(Exception):
    """The data is not fit to be learnt from."""


def judge(
    db: duckdb.DuckDBPyConnection,
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Mapping[str, int]],
    config: Limits,
) -> None:
    """Warn of what the rules only warn of.

    `rows` gives `came` and `set_aside` of each relation.
    Raises UnfitDataError where a rule that stops the night is broken, where more than the allowed
    share of a relation is set aside, and where nothing is left.
    """
    for outcome in outcomes:
        if outcome.broken and outcome.rule.severity == "stop":
            raise UnfitDataError(f"{outcome.broken} rows break a rule: {outcome.rule.sentence}")
        if outcome.broken and outcome.rule.severity == "warn":
            log.warning(
                '%d %s break "%s"', outcome.broken, outcome.rule.relation, outcome.rule.sentence
            )
    for name, counts in rows.items():
        came, aside = counts["came"], counts["set_aside"]
        if aside > config.most_set_aside * came:
            raise UnfitDataError(
                f"{aside} of {came} {name} would be set aside, more than the "
                f"{config.most_set_aside:.0%} allowed; most break: {_worst(db, name, outcomes)}"
            )
        if came == aside:
            raise UnfitDataError(f"no {name} are left of {came}: see what the source holds")


def _worst(db: duckdb.DuckDBPyConnection, relation: str, outcomes: Sequence[Outcome]) -> str:
    """What most rows have against them, with an example where they could not be typed."""
    rejects = db.execute(
        "select count(*), min_by(concat('line ', line, ': ', detail), (source, line)) "
        "from rejects where relation = ?",
        [relation],
    ).fetchone()
    worst = max((o for o in outcomes if o.rule.relation == relation), key=lambda o: o.broken)
    if rejects and rejects[0] > worst.broken:
        return f"a row can be typed ({rejects[1]})"
    return worst.rule.sentence
