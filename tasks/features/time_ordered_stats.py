"""Replays all ratings in the order of time: what was known of each film before each rating.

Ratings lie by user, and a film's are spread over all of them. So they are dealt out into stretches
of time, each small enough to be sorted in memory, which are gone through from the oldest on, with
what was known at the end of each carried to the next; what was found is gathered by user again.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays
from tasks.features.user_shards import Groups

AT_ONCE = 1 << 20  # ratings of a stretch, about
RATING = np.dtype([("time", "i8"), ("film", "i4"), ("rating", "f4"), ("fold", "i1"), ("of", "i1")])
COLUMNS = ("mean", "film_sum", "film_count")  # of all ratings before; of the film's before

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What each fold may know, in rows by fold: ratings of each film, their sum and number."""

    sums: Floats
    counts: Floats
    middle: float

    @classmethod
    def nothing(cls, films: int, middle: float) -> "Known":
        """`middle` stands in for the mean of all ratings before the first."""
        return cls(np.zeros((len(FOLDS), films)), np.zeros((len(FOLDS), films)), middle)

    def mean(self, fold: int) -> float:
        """Of all ratings that the fold may know."""
        seen = self.counts[fold].sum()
        return float(self.sums[fold].sum() / seen) if seen else self.middle

    def learn(self, rows: NDArray[np.void]) -> None:
        """Add the ratings of a stretch."""
        films = self.sums.shape[1]
        for fold in range(len(FOLDS)):
            known = rows[rows["of"] <= fold]
            self.sums[fold] += np.bincount(known["film"], known["rating"], films)
            self.counts[fold] += np.bincount(known["film"], minlength=films)

    def before(self, rows: NDArray[np.void], targets: bool) -> Floats:
        """For each rating of a stretch, COLUMNS as its own fold knew them before its time.

        Without `targets`, those of targets are left at zero.
        """
        time, film = rows["time"].copy(), rows["film"].copy()
        by_time = np.argsort(time)
        small = film.astype(np.uint16) if self.sums.shape[1] < 1 << 16 else film
        by_film = by_time[np.argsort(small[by_time], kind="stable")]
        any_film, each_film = _Earlier.of(by_time, time), _Earlier.of(by_film, time, film)
        found = np.zeros((len(rows), len(COLUMNS)))
        asked = np.ones(len(rows), bool) if targets else rows["of"] == rows["fold"]
        for fold in np.unique(rows["fold"][asked]):
            known = (rows["of"] <= fold).astype(np.float64)
            stars = np.where(known, rows["rating"], 0.0)
            own = np.flatnonzero(asked & (rows["fold"] == fold))
            total = any_film.sum(stars, own) + self.sums[fold].sum()
            seen = any_film.sum(known, own) + self.counts[fold].sum()
            found[own, 0] = np.where(seen > 0, total / np.maximum(seen, 1), self.middle)
            found[own, 1] = each_film.sum(stars, own) + self.sums[fold][film[own]]
            found[own, 2] = each_film.sum(known, own) + self.counts[fold][film[own]]
        return found


@dataclass(frozen=True)
class _Earlier:
    """For each row, which rows of the same key are strictly earlier: a range of an order."""

    order: Ints
    start: Ints
    end: Ints

    @classmethod
    def of(cls, order: Ints, time: Ints, *key: Ints) -> "_Earlier":
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
        """Exact in any order for half stars, so that it does not matter how time is cut."""
        running = np.concatenate([[0.0], np.cumsum(values[self.order])])
        return running[self.end[rows]] - running[self.start[rows]]


@dataclass
class Replay:
    """All stretches, gone through; `known` is what each fold knows at the end."""

    groups: Groups
    known: Known
    edges: Ints = field(init=False)
    starts: Ints = field(init=False)  # of each group's ratings in each stretch

    def run(self, *, targets: bool) -> None:
        """Deal out, and go through; `targets`: whether these, too, are asked as of their time."""
        self.edges = _edges(self.groups)
        counts = [self._deal(rows) for rows in self.groups]
        self.starts = np.cumsum([np.zeros_like(counts[0]), *counts], axis=0)
        for number in range(len(self.edges) + 1):
            file = self._file("dealt", number)
            rows = np.fromfile(file, RATING)
            file.unlink()
            self.known.before(rows, targets).tofile(self._file("found", number))
            self.known.learn(rows)

    def found(self, group: int) -> Floats:
        """COLUMNS for each rating of a group of users."""
        rows = self.groups.rows(group)
        order, counts = self._by_stretch(rows.time)
        found = np.empty((len(order), len(COLUMNS)))
        size = 8 * len(COLUMNS)
        parts = [
            np.fromfile(self._file("found", n), count=3 * count, offset=size * start)
            for n, (count, start) in enumerate(zip(counts, self.starts[group], strict=True))
        ]
        found[order] = np.concatenate(parts).reshape(-1, len(COLUMNS))
        return found

    def _deal(self, rows: RatingArrays) -> Ints:
        order, counts = self._by_stretch(rows.time)
        dealt = np.empty(len(order), RATING)
        of = np.where(rows.target, rows.fold + 1, rows.fold)  # the first fold that may know it
        of[np.isnan(rows.rating)] = len(FOLDS)
        columns = (rows.time, rows.film, rows.rating, rows.fold, of)
        for name, values in zip(RATING.names or (), columns, strict=True):
            dealt[name] = values[order]
        for number, part in enumerate(np.split(dealt, np.cumsum(counts)[:-1])):
            with self._file("dealt", number).open("ab") as file:
                part.tofile(file)
        return counts

    def _by_stretch(self, time: Ints) -> tuple[Ints, Ints]:
        number = np.searchsorted(self.edges, time, "right").astype(np.uint16)
        counts = np.bincount(number, minlength=len(self.edges) + 1)
        return np.argsort(number, kind="stable"), counts

    def _file(self, name: str, number: int) -> Path:
        return self.groups.folder / f"{name}-{number}"


def _edges(groups: Groups) -> Ints:
    """Moments that cut time into stretches of about as many ratings, by a sample of them."""
    total, sample = 0, []
    for group in range(groups.number):
        time = np.load(groups.folder / f"{group}-time.npy")
        total += len(time)
        sample.append(time[:: max(1, len(time) // 1000)])
    shares = np.arange(1, -(-total // AT_ONCE)) * AT_ONCE / total
    moments: Ints = np.unique(np.quantile(np.concatenate(sample), shares, method="lower"))
    return moments
