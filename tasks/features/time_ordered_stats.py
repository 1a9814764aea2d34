"""Computes what each fold knew of a film before each rating, in bounded memory.

Shards are ordered by user, statistics by time. So the ratings are partitioned by time into files
of about `PARTITION` rows; these are sorted and scanned from the oldest on, with running statistics
carried from one to the next; the results are gathered by user again.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays
from tasks.features.user_shards import UserShards

PARTITION = 1 << 20  # ratings, about
# `known_from`: the first fold that may learn from the rating.
RATING = np.dtype(
    [("time", "i8"), ("film", "i4"), ("rating", "f4"), ("fold", "i1"), ("known_from", "i1")]
)
COLUMNS = ("global_mean", "film_sum", "film_count")  # of all earlier ratings; of the film's

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        for fold in range(len(FOLDS)):
            known = rows[rows["known_from"] <= fold]
            self.sums[fold] += np.bincount(known["film"], known["rating"], films)
            self.counts[fold] += np.bincount(known["film"], minlength=films)

    def before(self, rows: NDArray[np.void], targets: bool) -> Floats:
        """[rows, COLUMNS] before each rating of a partition, as its own fold knew them.

        Without `targets`, the rows of targets stay zero.
        """
        time, film = rows["time"].copy(), rows["film"].copy()
        by_time = np.argsort(time)
        small = film.astype(np.uint16) if self.sums.shape[1] < 1 << 16 else film
        by_film = by_time[np.argsort(small[by_time], kind="stable")]
        any_film, each_film = (
            _EarlierRows.of(by_time, time),
            _EarlierRows.of(by_film, time, film),
        )
        result = np.zeros((len(rows), len(COLUMNS)))
        wanted = np.ones(len(rows), bool) if targets else rows["known_from"] == rows["fold"]
        for fold in np.unique(rows["fold"][wanted]):
            known = (rows["known_from"] <= fold).astype(np.float64)
            stars = np.where(known, rows["rating"], 0.0)
            own = np.flatnonzero(wanted & (rows["fold"] == fold))
            total = any_film.sum(stars, own) + self.sums[fold].sum()
            count = any_film.sum(known, own) + self.counts[fold].sum()
            result[own, 0] = np.where(count > 0, total / np.maximum(count, 1), self.default_mean)
            result[own, 1] = each_film.sum(stars, own) + self.sums[fold][film[own]]
            result[own, 2] = each_film.sum(known, own) + self.counts[fold][film[own]]
        return result


@dataclass(frozen=True)
class _EarlierRows:
    """For each row, the strictly earlier rows of the same key: [start, end) of an order."""

    order: Ints
    start: Ints
    end: Ints

    @classmethod
    def of(cls, order: Ints, time: Ints, *key: Ints) -> "_EarlierRows":
        new_key = np.zeros(len(order), bool)
        new_key[:1] = True
        for values in key:
            new_key[1:] |= values[order][1:] != values[order][:-1]
        new_moment = new_key.copy()
        new_moment[1:] |= time[order][1:] != time[order][:-1]
        start, end = np.empty_like(order), np.empty_like(order)
        start[order] = np.flatnonzero(new_key)[np.cumsum(new_key) - 1]
        end[order] = np.flatnonzero(new_moment)[np.cumsum(new_moment) - 1]
        return cls(order, start, end)

    def sum(self, values: Floats, rows: Ints) -> Floats:
        """Exact in any order for half stars, so the partitions do not change the result."""
        running = np.concatenate([[0.0], np.cumsum(values[self.order])])
        return running[self.end[rows]] - running[self.start[rows]]


@dataclass
class TimeOrderedStats:
    """Statistics before every rating of the shards; `stats` are those after the last."""

    shards: UserShards
    stats: RunningStats
    edges: Ints = field(init=False)
    starts: Ints = field(init=False)  # [shards + 1, partitions]: first row of each shard

    def scan(self, *, targets: bool) -> None:
        """Partition by time, then scan; `targets`: compute also what precedes targets."""
        self.edges = _partition_edges(self.shards)
        counts = [self._partition(rows) for rows in self.shards]
        self.starts = np.cumsum([np.zeros_like(counts[0]), *counts], axis=0)
        for number in range(len(self.edges) + 1):
            file = self._file("partition", number)
            rows = np.fromfile(file, RATING)
            file.unlink()
            self.stats.before(rows, targets).tofile(self._file("stats", number))
            self.stats.add(rows)

    def read(self, shard: int) -> Floats:
        """[ratings, COLUMNS] of a shard."""
        order, counts = self._by_partition(self.shards.read(shard).time)
        result = np.empty((len(order), len(COLUMNS)))
        width = len(COLUMNS)
        parts = [
            np.fromfile(self._file("stats", n), count=width * count, offset=8 * width * start)
            for n, (count, start) in enumerate(zip(counts, self.starts[shard], strict=True))
        ]
        result[order] = np.concatenate(parts).reshape(-1, width)
        return result

    def _partition(self, rows: RatingArrays) -> Ints:
        """Append a shard's ratings to the partitions; return how many each received."""
        order, counts = self._by_partition(rows.time)
        ordered = np.empty(len(order), RATING)
        known_from = np.where(rows.target, rows.fold + 1, rows.fold)
        known_from[np.isnan(rows.rating)] = len(FOLDS)
        columns = (rows.time, rows.film, rows.rating, rows.fold, known_from)
        for name, values in zip(RATING.names or (), columns, strict=True):
            ordered[name] = values[order]
        for number, part in enumerate(np.split(ordered, np.cumsum(counts)[:-1])):
            with self._file("partition", number).open("ab") as file:
                part.tofile(file)
        return counts

    def _by_partition(self, time: Ints) -> tuple[Ints, Ints]:
        """The order of the rows by partition, and the size of each."""
        number = np.searchsorted(self.edges, time, "right").astype(np.uint16)
        counts = np.bincount(number, minlength=len(self.edges) + 1)
        return np.argsort(number, kind="stable"), counts

    def _file(self, name: str, number: int) -> Path:
        return self.shards.folder / f"{name}-{number}"


def _partition_edges(shards: UserShards) -> Ints:
    """Times that cut the ratings into partitions of about equal size, from a sample."""
    total, sample = 0, []
    for shard in range(shards.count):
        time = np.load(shards.folder / f"{shard}-time.npy")
        total += len(time)
        sample.append(time[:: max(1, len(time) // 1000)])
    shares = np.arange(1, -(-total // PARTITION)) * PARTITION / total
    edges: Ints = np.unique(np.quantile(np.concatenate(sample), shares, method="lower"))
    return edges
