"""Predicts ratings by means, and by damped user and item biases.

Each model takes the training ratings and the pairs to predict (user and film as codes from 0), and
returns one rating a pair, in stars, not yet clipped.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.baseline.interactions import Floats, Interactions, Ints
from tasks.features.biases import fit_biases


def constant(training: Interactions, user: Ints, film: Ints) -> Floats:
    """The median of all ratings: of all constants the one with the least absolute error."""
    return np.full(len(user), np.median(training.rating))


def global_mean(training: Interactions, user: Ints, film: Ints) -> Floats:
    """The mean of all ratings."""
    return np.full(len(user), training.rating.mean())


def user_mean(training: Interactions, user: Ints, film: Ints) -> Floats:
    """The mean of the user's ratings; of all ratings for a user without any."""
    return _group_mean(training.user, training.rating, training.users)[user]


def item_mean(training: Interactions, user: Ints, film: Ints) -> Floats:
    """The mean of the film's ratings; of all ratings for a film without any."""
    return _group_mean(training.film, training.rating, training.films)[film]


@dataclass(frozen=True)
class ContextAverage:
    """The mean or median of the user's latest ratings, as many as a prompt shows.

    Of all ratings for a user without any.
    """

    films: int
    average: Callable[[Floats], np.float64]

    def __call__(self, training: Interactions, user: Ints, film: Ints) -> Floats:
        """One rating a pair."""
        who, place = np.unique(user, return_inverse=True)
        ends = zip(*(np.searchsorted(training.user, who + n) for n in (0, 1)), strict=True)
        latest = (training.rating[max(a, b - self.films) : b] for a, b in ends)
        return np.array([self.average(r if len(r) else training.rating) for r in latest])[place]


@dataclass(frozen=True)
class DampedBias:
    """The global mean plus a damped bias of the film and of the user."""

    item_damping: float
    user_damping: float
    iterations: int

    def __call__(self, training: Interactions, user: Ints, film: Ints) -> Floats:
        """One rating a pair."""
        model = fit_biases(
            training.user,
            training.film,
            training.rating,
            users=training.users,
            films=training.films,
            item_damping=self.item_damping,
            user_damping=self.user_damping,
            iterations=self.iterations,
        )
        return model.predict(user, film)


def _group_mean(group: Ints, rating: Floats, groups: int) -> Floats:
    counts = np.bincount(group, minlength=groups)
    sums = np.bincount(group, rating, groups)
    return np.where(counts > 0, sums / np.maximum(counts, 1), rating.mean())
