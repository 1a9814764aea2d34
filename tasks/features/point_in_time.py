"""Computes point-in-time features: statistics of a film and of a user before each rating.

A film's features come from known ratings of it that are strictly earlier in time, a user's from
the known ratings before it in the user's own history. A mean that leaves out only the rating
itself would leak it: it is lower the higher that rating was.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """One entry a rating. Means are NaN where nothing is known."""

    film_mean: Floats
    film_count: Ints
    user_mean: Floats
    user_count: Ints
    prior: Floats  # a predicted rating, in stars

    @classmethod
    def unknown(cls, rows: int) -> "Features":
        """Where nothing is known."""
        mean, count = np.full((3, rows), np.nan), np.zeros((2, rows), np.int64)
        return cls(mean[0], count[0], mean[1], count[1], mean[2])


def point_in_time_features(
    user: Ints,
    film: Ints,
    rating: Floats,
    time: Ints,
    known: NDArray[np.bool_],
    *,
    item_damping: float,
    user_damping: float,
    default_mean: float,
) -> Features:
    """Compute the features before each rating; arrays of equal length, sorted by user, position.

    `known` says which ratings may be learnt from. `time` is in any unit that orders them.
    `default_mean` replaces the global mean where no rating is earlier.
    """
    stars = np.where(known, rating, 0.0)
    weight = known.astype(np.float64)
    total, count = _earlier_sums(np.zeros_like(time), time, stars, weight)
    global_mean = np.where(count > 0, total / np.maximum(count, 1), default_mean)
    film_sum, film_count = _earlier_sums(film, time, stars, weight)
    return features_from_sums(
        user,
        rating,
        known,
        global_mean,
        film_sum,
        film_count,
        item_damping=item_damping,
        user_damping=user_damping,
    )


def features_from_sums(
    user: Ints,
    rating: Floats,
    known: NDArray[np.bool_],
    global_mean: Floats,
    film_sum: Floats,
    film_count: Floats,
    *,
    item_damping: float,
    user_damping: float,
) -> Features:
    """Compute the features from the mean of all earlier ratings and the film's sum and count.

    The prior is the global mean, plus the film's damped deviation from it, plus the user's damped
    mean deviation from that sum (the "baseline estimate" of Koren, 2010, ACM TKDD 4(1), equation
    1, each part as of its own time).
    """
    film_bias = (film_sum - film_count * global_mean) / (film_count + item_damping)
    residual = np.where(known, rating - global_mean - film_bias, 0.0)
    user_sum, user_count, user_residual = _sums_of_previous(
        user, np.where(known, rating, 0.0), known.astype(np.float64), round_for_exact_sums(residual)
    )
    with np.errstate(invalid="ignore"):
        return Features(
            film_mean=film_sum / film_count,
            film_count=film_count.astype(np.int64),
            user_mean=user_sum / user_count,
            user_count=user_count.astype(np.int64),
            prior=global_mean + film_bias + user_residual / (user_count + user_damping),
        )


def _earlier_sums(key: Ints, time: Ints, *columns: Floats) -> tuple[Floats, ...]:
    """For each row, the sums of the columns over rows of the same key and an earlier time."""
    order = np.lexsort((time, key))
    sorted_key, sorted_time = key[order], time[order]
    new_key = np.r_[True, sorted_key[1:] != sorted_key[:-1]]
    new_moment = new_key | np.r_[True, sorted_time[1:] != sorted_time[:-1]]
    moment = np.flatnonzero(new_moment)[np.cumsum(new_moment) - 1]
    key_start = np.flatnonzero(new_key)[np.cumsum(new_key) - 1]
    results = []
    for column in columns:
        running = np.r_[0.0, np.cumsum(column[order])]
        result = np.empty_like(column)
        result[order] = running[moment] - running[key_start]
        results.append(result)
    return tuple(results)


def _sums_of_previous(key: Ints, *columns: Floats) -> Iterator[Floats]:
    """For each row, the sums of the columns over previous rows of its key; keys are grouped."""
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    lengths = np.diff(starts, append=len(key))
    for column in columns:
        running = np.r_[0.0, np.cumsum(column)]
        yield running[:-1] - np.repeat(running[starts], lengths)


def round_for_exact_sums(stars: Floats) -> Floats:
    """Round to 2^-24: sums of 60 million are exact, however users are grouped."""
    return np.rint(stars * 2.0**24) * 2.0**-24
