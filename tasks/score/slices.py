"""Which parts of a slice a rating is in, from what sql/slices tells of films and of targets."""

from dataclasses import dataclass, replace

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.score.statements import bare, statements

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Slice:
    """Row i is in the parts `codes[first[i] : first[i + 1]]`, which are places in `labels`."""

    name: str
    labels: list[str]
    codes: Codes
    first: Ints

    def of(self, rows: Ints) -> "Slice":
        """The slice of these rows of this one."""
        counts = np.diff(self.first)[rows]
        first = np.concatenate([[0], np.cumsum(counts)])
        if first[-1] == len(rows):  # as a rule, one part each
            at = self.first[rows]
        else:
            at = np.arange(first[-1]) + np.repeat(self.first[rows] - first[:-1], counts)
        return replace(self, codes=self.codes[at], first=first)


def everyone(rows: int) -> Slice:
    """One part for all."""
    return Slice("everyone", ["all"], np.zeros(rows, np.int32), np.arange(rows + 1))


def film_slices(db: duckdb.DuckDBPyConnection) -> list[Slice]:
    """The slices of films, in order of film id."""
    films = db.sql("select film_id from film_facts").pl()["film_id"].to_numpy()
    made = []
    for file, text in statements("slices/films"):
        table = db.sql(f"select distinct * from ({bare(text)}) order by film_id, slice_value").pl()
        first = np.searchsorted(table["film_id"].to_numpy(), films)
        labels, codes = _coded(table["slice_value"])
        made.append(Slice(file.stem, labels, codes, np.append(first, len(table))))
    return made


def target_slices(db: duckdb.DuckDBPyConnection) -> list[Slice]:
    """The slices of the block's targets, in their order."""
    made = []
    for file, text in statements("slices/targets"):
        labels, codes = _coded(db.sql(bare(text)).pl()["slice_value"])
        made.append(Slice(file.stem, labels, codes, np.arange(len(codes) + 1)))
    return made


def _coded(part: pl.Series) -> tuple[list[str], Codes]:
    labels = part.unique().sort()
    return labels.to_list(), part.cast(pl.Enum(labels)).to_physical().cast(pl.Int32).to_numpy()
