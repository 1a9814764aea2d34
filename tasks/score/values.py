"""Sums the values of rating metrics over a block of users, by user and slice value.

Values are rounded to whole millionths: sums of integers do not depend on the order of threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_array

from tasks.score.keys import join_to_keys
from tasks.score.metric import BINS, MILLION, Metric
from tasks.score.relations import Block, MissingPredictionError, load_predictions, load_targets
from tasks.score.slices import Slice, everyone, target_slices
from tasks.score.statements import read_statements, without_semicolon
from tasks.score.user_values import user_sums

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class BlockSums:
    """`sums` [slice values, users, 1 + widths] of one predictor: count, then each metric's sums."""

    slice: Slice
    predictor: str
    metrics: tuple[Metric, ...]
    users: Ints
    sums: Ints


@dataclass(frozen=True)
class Values:
    """Values of each rating: 1 and the plain metrics' in `plain`; values and bins in `binned`."""

    metrics: tuple[Metric, ...]
    plain: Ints  # [ratings, 1 + plain metrics]
    binned: list[tuple[Ints, Ints]]


def block_sums(
    db: duckdb.DuckDBPyConnection,
    block: Block,
    predictors: Sequence[str],
    films: Ints,
    slices: Sequence[Slice],
) -> Iterator[BlockSums]:
    """The sums of a block of users, by predictor and slice; `slices` are those of the films.

    Raises MissingPredictionError where a predictor lacks a target, or a metric some value;
    StatementError where a statement does not return each target once.
    """
    targets = load_targets(db, block)
    users, user = np.unique(targets["user_id"].to_numpy(), return_inverse=True)
    film = np.searchsorted(films, targets["film_id"].to_numpy())
    keys = targets.select("user_id", "film_id")
    by_rating = [everyone(len(targets)), *(s.take(film) for s in slices), *target_slices(db, keys)]
    for predictor in predictors:
        load_predictions(db, predictor, block, targets)
        values = _metric_values(db, predictor, keys)
        ratios, ratio_sums = user_sums(db, users)
        for one in by_rating:
            sums, metrics = _sum_by_user(values, one, user, len(users)), values.metrics
            if one.name == "everyone":
                sums, metrics = np.concatenate([sums, ratio_sums[None]], axis=2), metrics + ratios
            yield BlockSums(one, predictor, metrics, users, sums)


def _metric_values(db: duckdb.DuckDBPyConnection, predictor: str, keys: pl.DataFrame) -> Values:
    """sql/metrics/ratings over `predicted_ratings`, without metrics that are null throughout."""
    found = []
    for file, text in read_statements("metrics/ratings"):
        query = f"select cast(round(value * {MILLION}) as bigint) as value, * exclude value"
        table = db.sql(f"{query} from ({without_semicolon(text)})").pl()
        table = join_to_keys(keys, table, file.stem)
        valued = len(table) - table["value"].null_count()
        if 0 < valued < len(table):
            raise MissingPredictionError(
                f"predictor {predictor} has {file.stem} for {valued} of {len(table)} ratings: "
                "give every rating a distribution, or none"
            )
        if valued:
            kind: Literal["mean", "bins"] = "bins" if "bin" in table.columns else "mean"
            power, expected = _constant(table, "power", 1), _constant(table, "expected", 0)
            found.append((Metric(file.stem, kind=kind, power=power, expected=expected), table))
    found.sort(key=lambda pair: pair[0].kind == "bins")
    plain = [table["value"].to_numpy() for metric, table in found if metric.kind == "mean"]
    binned = [
        (table["value"].to_numpy(), table["bin"].cast(pl.Int64).to_numpy())
        for metric, table in found if metric.kind == "bins"
    ]  # fmt: skip
    columns = np.stack([np.ones_like(plain[0]), *plain], axis=1)
    return Values(tuple(metric for metric, _ in found), columns, binned)


def _constant(table: pl.DataFrame, column: str, otherwise: float) -> float:
    return float(table[column][0]) if column in table.columns else otherwise


def _sum_by_user(values: Values, by: Slice, user: Ints, users: int) -> Ints:
    """[slice values, users, 1 + widths], by a sparse matrix from ratings to (user, slice value)."""
    parts, counts = len(by.values), np.diff(by.first)
    single = len(by.codes) == len(user)
    group = (user if single else np.repeat(user, counts)) * parts + by.codes
    ones = np.ones(len(group), np.int64)
    members = csc_array((ones, group, by.first), shape=(users * parts, len(user)))
    sums = [members @ values.plain]
    for value, bin_ in values.binned:
        value, bin_ = (x if single else np.repeat(x, counts) for x in (value, bin_))
        cells = np.bincount(group * BINS + bin_, value, users * parts * BINS)
        sums.append(cells.reshape(-1, BINS).astype(np.int64))
    return np.concatenate(sums, axis=1).reshape(users, parts, -1).transpose(1, 0, 2)
