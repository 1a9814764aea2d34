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
from tasks.features.running_stats import RATING, Before, RunningStats
from tasks.features.user_shards import UserShards

PARTITION = 1 << 20  # ratings, about

Ints = NDArray[np.int64]


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

    def read(self, shard: int) -> Before:
        """The statistics before each rating of a shard."""
        order, counts = self._by_partition(self.shards.read(shard).time)
        width = Before.STORED.itemsize
        parts = [
            np.fromfile(self._file("stats", n), Before.STORED, count, offset=width * start)
            for n, (count, start) in enumerate(zip(counts, self.starts[shard], strict=True))
        ]
        return Before.of(np.concatenate(parts), order)

    def _partition(self, rows: RatingArrays) -> Ints:
        """Append a shard's ratings to the partitions; return how many each received."""
        order, counts = self._by_partition(rows.time)
        ordered = np.empty(len(order), RATING)
        known_from = rows.fold + rows.target
        known_from[np.isnan(rows.rating)] = len(FOLDS)
        halves = np.nan_to_num(2 * rows.rating).astype(np.int8)
        columns = (rows.time, rows.film, halves, rows.fold, known_from)
        for at, name in enumerate(RATING.names or ()):
            ordered[name] = columns[at][order]
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
    for rows in shards:
        total += len(rows.time)
        sample.append(rows.time[:: max(1, len(rows.time) // 1000)].copy())
    shares = np.arange(1, -(-total // PARTITION)) * PARTITION / total
    edges: Ints = np.unique(np.quantile(np.concatenate(sample), shares, method="lower"))
    return edges
