"""What the metrics of ratings are for a block of users, summed by user and part.

Values are whole millionths: sums of integers, which the order that threads give them cannot change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_array

from tasks.score.relations import MissingPredictionError, ask, hear
from tasks.score.slices import Slice, everyone, target_slices
from tasks.score.statements import bare, statements

Ints = NDArray[np.int64]
MILLION = 1_000_000
BINS = 10


@dataclass(frozen=True)
class Metric:
    """A file of sql/metrics. Its figure is (sum / count) ** power, or, where its values come in
    bins, the sum of the bins' absolute sums, by the count.
    """

    name: str
    k: int | None = None
    power: float = 1.0
    binned: bool = False

    @property
    def width(self) -> int:
        """How many sums it is made of."""
        return BINS if self.binned else 1


@dataclass(frozen=True)
class Summed:
    """`sums` [parts, users, 1 + widths] of one predictor: how many ratings, then each metric's."""

    slice: Slice
    predictor: str
    metrics: tuple[Metric, ...]
    users: Ints
    sums: Ints


@dataclass(frozen=True)
class Values:
    """Of each rating: 1 and the metrics that are plain sums, and the others with their bins."""

    metrics: tuple[Metric, ...]
    plain: Ints  # [ratings, 1 + plain metrics]
    binned: list[tuple[Ints, Ints]]


def block_sums(
    db: duckdb.DuckDBPyConnection,
    block: tuple[int, int],
    predictors: Sequence[str],
    films: Ints,
    slices: Sequence[Slice],
) -> Iterator[Summed]:
    """The sums of a block of users; `slices` are those of the films.

    Raises MissingPredictionError where a predictor left out a target, or a metric's value.
    """
    asked = ask(db, block)
    users, user = np.unique(asked["user_id"].to_numpy(), return_inverse=True)
    film = np.searchsorted(films, asked["film_id"].to_numpy())
    laid = [everyone(len(asked)), *(of.of(film) for of in slices), *target_slices(db)]
    for predictor in predictors:
        hear(db, predictor, block, asked)
        values = _values(db, predictor)
        for of in laid:
            sums = _sums(values, of, user, len(users))
            yield Summed(of, predictor, values.metrics, users, sums)


def _values(db: duckdb.DuckDBPyConnection, predictor: str) -> Values:
    """What sql/metrics/ratings has to say of `predicted_ratings`, but for what is null in all."""
    told = []
    for file, text in statements("metrics/ratings"):
        query = f"select cast(round(value * {MILLION}) as bigint) as value, * exclude value"
        table = db.sql(f"{query} from ({bare(text)})").pl()
        valued = len(table) - table["value"].null_count()
        if 0 < valued < len(table):
            raise MissingPredictionError(
                f"{predictor} has {file.stem} for {valued} of {len(table)} ratings"
            )
        if valued:
            power = float(table["power"][0]) if "power" in table.columns else 1.0
            told.append((Metric(file.stem, power=power, binned="bin" in table.columns), table))
    told.sort(key=lambda one: one[0].binned)
    plain = [table["value"].to_numpy() for metric, table in told if not metric.binned]
    binned = [
        (table["value"].to_numpy(), table["bin"].cast(pl.Int64).to_numpy())
        for metric, table in told if metric.binned
    ]  # fmt: skip
    columns = np.stack([np.ones_like(plain[0]), *plain], axis=1)
    return Values(tuple(metric for metric, _ in told), columns, binned)


def _sums(values: Values, of: Slice, user: Ints, users: int) -> Ints:
    """[parts, users, 1 + widths], by a sparse matrix that says who is in which part."""
    parts, counts = len(of.labels), np.diff(of.first)
    single = len(of.codes) == len(user)
    group = (user if single else np.repeat(user, counts)) * parts + of.codes
    ones = np.ones(len(group), np.int64)
    inside = csc_array((ones, group, of.first), shape=(users * parts, len(user)))
    sums = [inside @ values.plain]
    for value, bin_ in values.binned:
        value, bin_ = (x if single else np.repeat(x, counts) for x in (value, bin_))
        cells = np.bincount(group * BINS + bin_, value, users * parts * BINS)
        sums.append(cells.reshape(-1, BINS).astype(np.int64))
    return np.concatenate(sums, axis=1).reshape(users, parts, -1).transpose(1, 0, 2)
