"""Counts rows by source file: read, quarantined, deduplicated and kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from tasks.validate.rules import Relation

Counts = Counter[int]  # rows by index of the source


@dataclass(frozen=True)
class ValidCounts:
    """Counts of the ratings that no rule sends to quarantine."""

    kept: Counts
    deduplicated: Counts
    rating_histogram: dict[float, int]  # before deduplication
    daily_counts: dict[date, int]  # likewise

    @property
    def scale(self) -> list[float]:
        """The rating values: 1 to 5 in whole stars, or in half stars where any is given."""
        if all(value == int(value) for value in self.rating_histogram):
            return [1.0, 2.0, 3.0, 4.0, 5.0]
        return [half / 2 for half in range(1, 11)]


@dataclass(frozen=True)
class RowCounts:
    """The rows of a relation, by source: read = quarantined + deduplicated + kept."""

    relation: Relation
    read: Counts
    quarantined: Counts
    deduplicated: Counts
    kept: Counts

    def total(self) -> dict[str, int]:
        """Rows over all sources."""
        return {
            "read": self.read.total(),
            "quarantined": self.quarantined.total(),
            "deduplicated": self.deduplicated.total(),
            "kept": self.kept.total(),
        }

    def by_file(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One entry a file. Raises AssertionError where rows of a file are unaccounted for."""
        files = []
        for source in sorted(self.read):
            counts = {
                "read": self.read[source],
                "quarantined": self.quarantined[source],
                "deduplicated": self.deduplicated[source],
                "kept": self.kept[source],
            }
            assert 2 * counts["read"] == sum(counts.values()), (
                f"{names[source]}: {self.relation} do not add up: {counts}"
            )
            files.append({"name": names[source], "relation": self.relation, **counts})
        return files


def count_by_source(db: duckdb.DuckDBPyConnection, rows: str) -> Counts:
    """Count the rows of `rows`, the SQL behind `from`, by source."""
    return Counter(
        dict(db.execute(f"select source, count(*) from {rows} group by source").fetchall())
    )
