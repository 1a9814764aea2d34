"""Intervals by resampling users: whoever was drawn is drawn for every predictor alike.

Percentile bootstrap over clusters (Efron and Tibshirani, 1993, An Introduction to the Bootstrap,
chapter 13): the ratings of one user are not independent, so users are drawn, not ratings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LOW, HIGH = 2.5, 97.5


@dataclass(frozen=True)
class Interval:
    """A value with the 95 % interval around it."""

    value: float
    low: float
    high: float


class Resamples:
    """`draws` [resamples, users]: how often each user is drawn; the same for equal seeds."""

    def __init__(self, users: int, resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        even = np.full(users, 1 / users)
        self.draws = rng.multinomial(users, even, size=resamples).astype(np.float32)

    def means(self, sums: Floats, counts: Floats, power: float) -> Floats:
        """[resamples]: (sum of sums / sum of counts) ** power in each, both given by user.

        NaN where nobody with a count was drawn.
        """
        drawn = self.draws @ np.stack([sums, counts], 1).astype(np.float32)
        drawn = drawn.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (drawn[:, 0] / drawn[:, 1]) ** power if power != 1 else drawn[:, 0] / drawn[:, 1]


def interval(value: float, resampled: Floats) -> Interval:
    """The middle 95 % of what was resampled."""
    low, high = np.nanpercentile(resampled, [LOW, HIGH])
    return Interval(value, float(low), float(high))
