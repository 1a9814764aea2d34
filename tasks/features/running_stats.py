"""Running sums and counts of each film's ratings, in order of time, by what each fold knows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS

# `known_from`: the first fold that may learn from the rating; `halves`: half stars.
RATING = np.dtype(
    [("time", "i8"), ("film", "i4"), ("halves", "i1"), ("fold", "i1"), ("known_from", "i1")]
)
COUNT_BITS = 32  # of a sum of half stars << COUNT_BITS | how many: one running sum for both

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Before:
    """What was known before each rating: the mean of all ratings, and the film's sum and count."""

    STORED: ClassVar[np.dtype[np.void]] = np.dtype(
        [("global_mean", "f8"), ("film_sum", "f8"), ("film_count", "f8")]
    )
    global_mean: Floats
    film_sum: Floats
    film_count: Floats

    @classmethod
    def of(cls, stored: NDArray[np.void], rows: Ints) -> "Before":
        """Put each entry of `stored` into its row."""
        columns = {name: np.empty(len(rows)) for name in cls.STORED.names or ()}
        for name, values in columns.items():
            values[rows] = stored[name]
        return cls(**columns)


@dataclass(frozen=True)
class RunningStats:
    """[folds, films] sums and counts of the ratings that each fold knows so far."""

    sums: Floats
    counts: Floats
    default_mean: float  # where nothing is known

    @classmethod
    def zeros(cls, films: int, default_mean: float) -> "RunningStats":
        """The statistics before the first rating."""
        shape = (len(FOLDS), films)
        return cls(np.zeros(shape), np.zeros(shape), default_mean)

    def mean(self, fold: int) -> float:
        """Of all ratings that the fold knows."""
        count = self.counts[fold].sum()
        return float(self.sums[fold].sum() / count) if count else self.default_mean

    def add(self, rows: NDArray[np.void]) -> None:
        """Add the ratings of a partition."""
        films = self.sums.shape[1]
        cell = rows["known_from"] * np.int64(films) + rows["film"]
        for total, weights in ((self.sums, rows["halves"] / 2), (self.counts, None)):
            found = np.bincount(cell, weights, (len(FOLDS) + 1) * films)
            total += found.reshape(-1, films)[: len(FOLDS)].cumsum(0)

    def before(self, rows: NDArray[np.void], targets: bool) -> NDArray[np.void]:
        """`Before.STORED` [rows] before each rating of a partition, as its own fold knew them.

        Without `targets`, the rows of targets stay zero. Sums are exact in any order, so the
        partitions do not change the result.
        """
        order = _TimeOrder.of(rows["time"].copy(), rows["film"].copy(), self.sums.shape[1])
        fold, known_from = rows["fold"].copy(), rows["known_from"].copy()
        wanted = np.ones(len(rows), bool) if targets else known_from == fold
        result = np.zeros(len(rows), Before.STORED)
        for number in np.flatnonzero(np.bincount(fold[wanted], minlength=len(FOLDS))):
            packed = (rows["halves"].astype(np.int64) << COUNT_BITS) | 1
            packed *= known_from <= number
            sums, counts = _unpack(order.earlier(packed))
            film_sums, film_counts = _unpack(order.earlier_of_film(packed))
            sums += self.sums[number].sum()
            counts += self.counts[number].sum()
            film_sums += self.sums[number][rows["film"]]
            film_counts += self.counts[number][rows["film"]]
            mean = np.where(counts > 0, sums / np.maximum(counts, 1), self.default_mean)
            own = wanted & (fold == number)
            for name, values in zip(
                result.dtype.names or (), (mean, film_sums, film_counts), strict=True
            ):
                np.copyto(result[name], values, where=own)
        return result


@dataclass(frozen=True)
class _TimeOrder:
    """The rows of a partition by time, and by film and time."""

    by_time: Ints
    by_film: Ints  # places in `by_time`
    moment: Ints  # place of the first rating at each one's time, in `by_time`
    film: Ints  # place of the film's first rating, in `by_film`
    film_moment: Ints  # place of the film's first rating at the time, in `by_film`

    @classmethod
    def of(cls, time: Ints, film: NDArray[np.int32], films: int) -> "_TimeOrder":
        by_time = np.argsort(time)
        ordered = film[by_time]
        # Small integers are sorted by their digits, in a quarter of the time.
        by_film = np.argsort(
            ordered.astype(np.uint16) if films < 1 << 16 else ordered, kind="stable"
        )
        moment = _starts(_changes(time[by_time]))
        new_film = _changes(ordered[by_film])
        new_moment = new_film | _changes(moment[by_film])
        return cls(by_time, by_film, moment, _starts(new_film), _starts(new_moment))

    def earlier(self, values: Ints) -> Ints:
        """For each row, the sum over rows of an earlier time."""
        running = _running(values[self.by_time])
        result = np.empty_like(values)
        result[self.by_time] = running[self.moment]
        return result

    def earlier_of_film(self, values: Ints) -> Ints:
        """For each row, the sum over the film's rows of an earlier time."""
        rows = self.by_time[self.by_film]
        running = _running(values[rows])
        result = np.empty_like(values)
        result[rows] = running[self.film_moment] - running[self.film]
        return result


def _unpack(packed: Ints) -> tuple[Floats, Floats]:
    """Sums in stars, and counts."""
    return (packed >> COUNT_BITS) / 2, (packed & ((1 << COUNT_BITS) - 1)).astype(np.float64)


def _running(values: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(values)])


def _changes(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether each value differs from the one before it."""
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]


def _starts(new: NDArray[np.bool_]) -> Ints:
    """For each place, the last one before or at it that is new."""
    starts = np.flatnonzero(new)
    return np.repeat(starts, np.diff(starts, append=len(new)))
