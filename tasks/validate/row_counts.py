"""Counts rows: what came, was set aside, folded and kept, by file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from tasks.validate.rules import Relation

Counts = dict[int, int]  # rows by source


@dataclass(frozen=True)
class Tally:
    """The ratings that no rule sets aside, counted while they are written."""

    kept: Counts
    folded: Counts
    by_star: dict[float, int]  # before older ratings of a film were folded into newer ones
    by_day: dict[date, int]  # likewise

    @property
    def scale(self) -> list[float]:
        """The values that people choose from: whole stars, or half stars where any is given."""
        if all(star == int(star) for star in self.by_star):
            return [1.0, 2.0, 3.0, 4.0, 5.0]
        return [half / 2 for half in range(1, 11)]


@dataclass(frozen=True)
class Account:
    """What became of the rows of a relation, by source."""

    relation: Relation
    came: Counts
    set_aside: Counts
    folded: Counts
    kept: Counts

    def total(self) -> dict[str, int]:
        """Rows over all sources."""
        return {n: sum(getattr(self, n).values()) for n in ("came", "set_aside", "folded", "kept")}

    def by_file(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One entry a file. Raises AssertionError where rows of a file are unaccounted for."""
        told = []
        for source, came in sorted(self.came.items()):
            aside, folded, kept = (
                counts.get(source, 0) for counts in (self.set_aside, self.folded, self.kept)
            )
            assert came == aside + folded + kept, (
                f"{names[source]}: of {came} {self.relation} {kept} were kept, {aside} set aside "
                f"and {folded} folded, which does not come out even"
            )
            told.append({"name": names[source], "relation": self.relation, "came": came,
                         "set_aside": aside, "folded": folded, "kept": kept})  # fmt: skip
        return told


def counted(db: duckdb.DuckDBPyConnection, rows: str) -> Counts:
    """Rows by source of `rows`, which is SQL behind `from`."""
    return dict(db.execute(f"select source, count(*) from {rows} group by source").fetchall())


def plus(*several: Counts) -> Counts:
    """The sum of counts by source."""
    sources = {source for counts in several for source in counts}
    return {source: sum(counts.get(source, 0) for counts in several) for source in sources}
