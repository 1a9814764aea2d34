"""Looks up the slice values of each rating, as sql/slices gives them for films and for targets."""

from dataclasses import dataclass, replace

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.score.keys import join_to_keys, require_keys
from tasks.score.statements import read_statements, without_semicolon

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Slice:
    """Row i has the values `codes[first[i] : first[i + 1]]`, which index `values`."""

    name: str
    values: list[str]
    codes: Codes
    first: Ints

    def take(self, rows: Ints) -> "Slice":
        """The slice of these rows of this one."""
        counts = np.diff(self.first)[rows]
        first = np.concatenate([[0], np.cumsum(counts)])
        if first[-1] == len(rows):  # one value per row: the usual case
            indices = self.first[rows]
        else:
            indices = np.arange(first[-1]) + np.repeat(self.first[rows] - first[:-1], counts)
        return replace(self, codes=self.codes[indices], first=first)


def everyone(rows: int) -> Slice:
    """One value for all rows."""
    return Slice("everyone", ["all"], np.zeros(rows, np.int32), np.arange(rows + 1))


def film_slices(db: duckdb.DuckDBPyConnection) -> list[Slice]:
    """The slices of films, in order of film id."""
    films = db.sql("select film_id from film_facts").pl()["film_id"].to_numpy()
    slices = []
    for file, text in read_statements("slices/films"):
        query = f"select distinct * from ({without_semicolon(text)}) order by film_id, slice_value"
        table = db.sql(query).pl()
        require_keys(films, table["film_id"], file.stem)
        first = np.searchsorted(table["film_id"].to_numpy(), films)
        values, codes = _encode(table["slice_value"])
        slices.append(Slice(file.stem, values, codes, np.append(first, len(table))))
    return slices


def target_slices(db: duckdb.DuckDBPyConnection, keys: pl.DataFrame) -> list[Slice]:
    """The slices of the block's targets, in the order of their keys (user_id, film_id)."""
    slices = []
    for file, text in read_statements("slices/targets"):
        table = join_to_keys(keys, db.sql(without_semicolon(text)).pl(), file.stem)
        values, codes = _encode(table["slice_value"])
        slices.append(Slice(file.stem, values, codes, np.arange(len(codes) + 1)))
    return slices


def _encode(column: pl.Series) -> tuple[list[str], Codes]:
    values = column.unique().sort()
    return values.to_list(), column.cast(pl.Enum(values)).to_physical().cast(pl.Int32).to_numpy()
