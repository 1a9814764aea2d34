"""Reads the metrics that are ratios of sums over users: sql/metrics/users and pooled."""

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.score.keys import StatementError, join_to_keys
from tasks.score.metric import MILLION, Metric
from tasks.score.statements import read_statements, without_semicolon

Ints = NDArray[np.int64]


def user_sums(db: duckdb.DuckDBPyConnection, users: Ints) -> tuple[tuple[Metric, ...], Ints]:
    """The metrics, and [users, widths] of one predictor in millionths, from `predicted_ratings`.

    Raises StatementError where a statement does not return each user once, or a weight without a
    value.
    """
    keys = pl.DataFrame({"user_id": users})
    metrics, columns = [], []
    for file, text in read_statements("metrics/users", "metrics/pooled"):
        table = join_to_keys(keys, db.sql(without_semicolon(text)).pl(), file.stem)
        pairs = [("value", "weight"), ("less_value", "less_weight")]
        pairs = [pair for pair in pairs if pair[0] in table.columns]
        for value, weight in pairs:
            if table.filter(pl.col(value).is_null() & (pl.col(weight) > 0)).height:
                raise StatementError(f"{file.stem} returns a {weight} without a {value}: add it")
            columns += [_in_millionths(table[value]), _in_millionths(table[weight])]
        pooled = file.parent.name == "pooled"
        metrics.append(Metric(file.stem, kind="ratio", has_less=len(pairs) > 1, pooled=pooled))
    return tuple(metrics), np.stack(columns, axis=1)


def _in_millionths(column: pl.Series) -> Ints:
    return np.rint(column.cast(pl.Float64).fill_null(0).to_numpy() * MILLION).astype(np.int64)
