"""What was known of a film and of a user before each rating.

A film's facts come from known ratings of it that are strictly earlier in time, a user's from the
known ratings before it in the user's own history. A mean that leaves out only the rating itself
would leak it: it is lower the higher that rating was.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """One entry a rating, in the order of the histories. Means are NaN where nothing was known."""

    film_mean: Floats
    film_count: Ints
    user_mean: Floats
    user_count: Ints
    guess: Floats  # damped user and item bias, as far as it could be known


def facts_before(
    user: Ints,
    film: Ints,
    rating: Floats,
    time: Ints,
    known: NDArray[np.bool_],
    *,
    item_damping: float,
    user_damping: float,
    middle: float,
) -> Facts:
    """The facts before each rating; arrays of equal length, sorted by user, then position.

    `known` says which ratings may be learnt from. `time` is in any unit that orders them.
    `middle` stands in for the mean of all ratings before the first. The guess is the mean of all
    earlier ratings, plus the film's damped deviation from it, plus the user's damped mean
    deviation from that sum (the "baseline estimate" of Koren, 2010, ACM TKDD 4(1), equation 1,
    with each part taken as of its own time).
    """
    stars = np.where(known, rating, 0.0)
    weight = known.astype(np.float64)
    total, seen = _before_in_time(np.zeros_like(time), time, stars, weight)
    overall = np.where(seen > 0, total / np.maximum(seen, 1), middle)
    film_sum, film_count = _before_in_time(film, time, stars, weight)
    return facts_of(
        user,
        rating,
        known,
        overall,
        film_sum,
        film_count,
        item_damping=item_damping,
        user_damping=user_damping,
    )


def facts_of(
    user: Ints,
    rating: Floats,
    known: NDArray[np.bool_],
    overall: Floats,
    film_sum: Floats,
    film_count: Floats,
    *,
    item_damping: float,
    user_damping: float,
) -> Facts:
    """The facts before each rating, where those of all films together and of its film are known."""
    film_bias = (film_sum - film_count * overall) / (film_count + item_damping)
    left = np.where(known, rating - overall - film_bias, 0.0)
    user_sum, user_count, user_left = (
        _before_in_row(user, column)
        for column in (np.where(known, rating, 0.0), known.astype(np.float64), left)
    )
    with np.errstate(invalid="ignore"):
        return Facts(
            film_mean=film_sum / film_count,
            film_count=film_count.astype(np.int64),
            user_mean=user_sum / user_count,
            user_count=user_count.astype(np.int64),
            guess=overall + film_bias + user_left / (user_count + user_damping),
        )


def _before_in_time(key: Ints, time: Ints, *columns: Floats) -> tuple[Floats, ...]:
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


def _before_in_row(key: Ints, column: Floats) -> Floats:
    """For each row, the sum of the column over earlier rows of the same key, keys being grouped."""
    running = np.r_[0.0, np.cumsum(in_steps(column))]
    new_key = np.r_[True, key[1:] != key[:-1]]
    key_start = np.flatnonzero(new_key)[np.cumsum(new_key) - 1]
    return running[:-1] - running[key_start]


def in_steps(stars: Floats) -> Floats:
    """Rounded to 2^-24, so that sums of 60 million are exact, however users are grouped."""
    return np.rint(stars * 2.0**24) * 2.0**-24
