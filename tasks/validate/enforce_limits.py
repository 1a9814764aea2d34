"""Decides whether a run may go on with the data."""

import logging
from collections.abc import Sequence

import duckdb

from tasks.validate.expectations import Outcome
from tasks.validate.row_counts import RowCounts

log = logging.getLogger(__name__)


class UnfitDataError(Exception):
    """Too much of the data violates the rules."""


def enforce_limits(
    db: duckdb.DuckDBPyConnection,
    outcomes: Sequence[Outcome],
    relations: Sequence[RowCounts],
    max_quarantined: float,
) -> None:
    """Log the violations of rules that only warn.

    `max_quarantined` is the largest share of a relation's rows; `db` has the table `rejects`.
    Raises UnfitDataError where more are in quarantine, and where no row is left.
    """
    for outcome in outcomes:
        if outcome.violations and outcome.rule.severity == "warn":
            log.warning(
                '%d %s violate "%s"',
                outcome.violations, outcome.rule.relation, outcome.rule.sentence,
            )  # fmt: skip
    for counts in relations:
        name, read, quarantined = counts.relation, counts.read.total(), counts.quarantined.total()
        if quarantined > max_quarantined * read:
            raise UnfitDataError(
                f"{quarantined} of {read} {name} go to quarantine, more than the "
                f"{max_quarantined:.0%} allowed; most violate: {_most_violated(db, name, outcomes)}"
            )
        if read == quarantined:
            raise UnfitDataError(f"no {name} are left of {read}: see what the source holds")


def _most_violated(
    db: duckdb.DuckDBPyConnection, relation: str, outcomes: Sequence[Outcome]
) -> str:
    """The most violated rule that quarantines; for untyped rows, with the first of them."""
    rejects = db.execute(
        "select count(*), min_by(concat('line ', line, ': ', detail), (source, line)) "
        "from rejects where relation = ?",
        [relation],
    ).fetchone()
    worst = max(
        (o for o in outcomes if o.rule.relation == relation and o.rule.severity == "quarantine"),
        key=lambda outcome: outcome.violations,
    )
    if rejects and rejects[0] > worst.violations:
        return f"a row can be typed ({rejects[1]})"
    return worst.rule.sentence
