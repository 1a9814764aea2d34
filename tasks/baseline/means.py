"""The predictors that any model must beat: means, and damped user and item biases.

All take the ratings that may be learnt from as arrays of equal length (user and film as codes
from 0) and the pairs that are asked, and return one guess a pair, in stars, not yet clipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tasks.baseline.interactions import Floats, Ints, Known


def constant(known: Known, user: Ints, film: Ints) -> Floats:
    """The median of all ratings: of all constants the one with the least absolute error."""
    return np.full(len(user), np.median(known.rating))


def global_mean(known: Known, user: Ints, film: Ints) -> Floats:
    """The mean of all ratings."""
    return np.full(len(user), known.rating.mean())


def user_mean(known: Known, user: Ints, film: Ints) -> Floats:
    """The mean of the user's ratings; of all ratings for a user without any."""
    return _group_mean(known.user, known.rating, known.users)[user]


def item_mean(known: Known, user: Ints, film: Ints) -> Floats:
    """The mean of the film's ratings; of all ratings for a film without any."""
    return _group_mean(known.film, known.rating, known.films)[film]


@dataclass(frozen=True)
class ContextMean:
    """The mean of the user's latest ratings, as many as a prompt shows."""

    films: int

    def __call__(self, known: Known, user: Ints, film: Ints) -> Floats:
        """One guess a pair; the mean of all ratings for a user without any."""
        return _latest(known, self.films, np.mean)[user]


@dataclass(frozen=True)
class ContextMedian:
    """The median of the user's latest ratings, as many as a prompt shows."""

    films: int

    def __call__(self, known: Known, user: Ints, film: Ints) -> Floats:
        """One guess a pair; the median of all ratings for a user without any."""
        return _latest(known, self.films, np.median)[user]


@dataclass(frozen=True)
class Bias:
    """The mean of all ratings plus a damped deviation of the film and one of the user.

    Each is fitted to what the other leaves, in alternating iterations (Koren, 2010, ACM TKDD 4(1),
    section 2.1, with the sums damped in place of the regularised least squares).
    """

    item_damping: float
    user_damping: float
    iterations: int

    def __call__(self, known: Known, user: Ints, film: Ints) -> Floats:
        """One guess a pair."""
        mean = known.rating.mean()
        centred = known.rating - mean
        item_weight = np.bincount(known.film, minlength=known.films) + self.item_damping
        user_weight = np.bincount(known.user, minlength=known.users) + self.user_damping
        item, person = np.zeros(known.films), np.zeros(known.users)
        for _ in range(self.iterations):
            item = np.bincount(known.film, centred - person[known.user], known.films) / item_weight
            person = np.bincount(known.user, centred - item[known.film], known.users) / user_weight
        return mean + item[film] + person[user]


def _group_mean(group: Ints, rating: Floats, groups: int) -> Floats:
    counts = np.bincount(group, minlength=groups)
    sums = np.bincount(group, rating, groups)
    return np.where(counts > 0, sums / np.maximum(counts, 1), rating.mean())


def _latest(known: Known, films: int, middle: Callable[[Floats], np.float64]) -> Floats:
    ends = np.searchsorted(known.user, np.arange(known.users + 1))
    latest = (known.rating[max(a, b - films) : b] for a, b in pairwise(ends))
    return np.array([middle(of if len(of) else known.rating) for of in latest])
