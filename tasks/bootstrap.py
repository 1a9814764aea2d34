"""Intervals by resampling users: whoever was drawn is drawn for every predictor alike.

Percentile bootstrap over clusters (Efron and Tibshirani, 1993, An Introduction to the Bootstrap,
chapter 13): the ratings of one user are not independent, so users are drawn, not ratings.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LOW, HIGH = 2.5, 97.5
AT_ONCE = 100  # resamples in memory as floats: 110 MB for 138,493 users


class Resamples:
    """`draws` [1 + resamples, users]: how often each user counts; the same for equal seeds.

    Once in the first row, and in each other as often as the user was drawn.
    """

    def __init__(self, users: int, resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.draws = np.empty((1 + resamples, users), np.uint8)  # more than 255 times: never
        self.draws[0] = 1
        for draw in self.draws[1:]:
            draw[:] = np.bincount(rng.integers(users, size=users), minlength=users)

    def sums(self, columns: Floats, first: int = 0) -> Floats:
        """[1 + resamples, columns] from [some users, columns], those from place `first` on."""
        of_them = self.draws[:, first : first + len(columns)]
        groups = range(0, len(of_them), AT_ONCE)
        return np.concatenate(
            [of_them[at : at + AT_ONCE].astype(np.float64) @ columns for at in groups]
        )


def middle(resampled: Floats) -> tuple[Floats, Floats]:
    """The ends of the middle 95 % of [resamples, columns]; draws without anybody left out."""
    low, high = np.nanpercentile(resampled, [LOW, HIGH], axis=0)
    return low, high
