"""Fits the damped biases of films and users to more ratings than memory holds.

The same as `tasks.features.collaborative.bias_guess`, which has all of them at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.features.collaborative import SWEEPS
from tasks.features.point_in_time import in_steps
from tasks.features.rating_arrays import RatingArrays
from tasks.features.time_ordered_stats import Known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Biases:
    """What a fold knows at its beginning; a user's bias follows from the user's own ratings."""

    fold: int
    middle: float
    film: Floats
    user_damping: float

    def user(self, rows: RatingArrays) -> Floats:
        """Each rating's user's bias: the damped mean of what the films leave."""
        known = rows.known_to(self.fold)
        left = np.where(known, rows.rating - self.middle - self.film[rows.film], 0.0)
        starts = first_of_each(rows.user)
        counts = np.add.reduceat(known, starts, dtype=np.float64)
        bias = np.add.reduceat(left, starts) / (counts + self.user_damping)
        return np.repeat(bias, np.diff([*starts, len(rows.user)]))

    def guess(self, rows: RatingArrays) -> Floats:
        """In stars, for each rating."""
        return self.middle + self.film[rows.film] + self.user(rows)

    def left(self, rows: RatingArrays) -> Floats:
        """The sum of what the users leave of each film's ratings."""
        left = np.where(rows.known_to(self.fold), rows.rating - self.middle - self.user(rows), 0.0)
        sums = np.zeros_like(self.film)
        sums += np.bincount(rows.film, in_steps(left), len(self.film))
        return sums


def fitted(
    groups: Iterable[RatingArrays],
    known: Known,
    folds: Iterable[int],
    *,
    item_damping: float,
    user_damping: float,
) -> list[Biases]:
    """Biases of each of the folds, all of them fitted in the same passes over the ratings."""
    of = []
    for fold in folds:
        middle, counts = known.mean(fold), known.counts[fold]
        film = (known.sums[fold] - counts * middle) / (counts + item_damping)
        of.append(Biases(fold, middle, film, user_damping))
    for _ in range(SWEEPS - 1 if of else 0):
        left = [np.zeros_like(biases.film) for biases in of]
        for rows in groups:
            for total, biases in zip(left, of, strict=True):
                total += biases.left(rows)
        of = [
            replace(biases, film=total / (known.counts[biases.fold] + item_damping))
            for total, biases in zip(left, of, strict=True)
        ]
    return of


def first_of_each(user: Ints) -> Ints:
    """Where each user begins."""
    return np.flatnonzero(np.r_[True, user[1:] != user[:-1]][: len(user)])
