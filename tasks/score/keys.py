"""Joins the rows that a statement of sql/ returns to the keys that it must return."""

import numpy as np
import polars as pl
from numpy.typing import NDArray


class StatementError(Exception):
    """A statement does not return each key once."""


def join_to_keys(keys: pl.DataFrame, table: pl.DataFrame, statement: str) -> pl.DataFrame:
    """The rows of a statement in the order of `keys`, whatever order it returned them in.

    Raises StatementError unless it returns each key exactly once.
    """
    if table.select(keys.columns).equals(keys):  # the usual case: DuckDB kept the order
        return table
    found = keys.join(
        table, on=keys.columns, how="inner", nulls_equal=True, maintain_order="left_right"
    )
    if not len(table) == len(found) == len(keys) or not found.select(keys.columns).equals(keys):
        raise StatementError(
            f"{statement} returns {len(table)} rows for {len(keys)} of "
            f"({', '.join(keys.columns)}): return each of these once"
        )
    return found


def require_keys(keys: NDArray[np.int64], found: pl.Series, statement: str) -> None:
    """Raise StatementError unless exactly these keys were found, each once or more often."""
    if not np.array_equal(np.unique(found.to_numpy()), np.sort(keys)):
        missing, foreign = len(np.setdiff1d(keys, found)), len(np.setdiff1d(found, keys))
        raise StatementError(
            f"{statement} has no value for {missing} of {len(keys)} keys ({found.name}), and a "
            f"value for {foreign} unknown ones: return each key once or more often"
        )
