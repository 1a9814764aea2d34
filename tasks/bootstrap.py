"""Bootstrap intervals over users, with the same resamples for every predictor.

Percentile bootstrap over clusters (Efron and Tibshirani, 1993, An Introduction to the Bootstrap,
chapter 13): ratings of one user are not independent, so users are resampled, not ratings.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PERCENTILES = [2.5, 97.5]
AT_ONCE = 100  # resamples in memory as floats: 110 MB for 138,493 users


class Resamples:
    """`counts` [1 + resamples, users]: how often each user counts; the same for equal seeds.

    Row 0 counts every user once, each further row as often as the user was resampled. Draws are the
    raw bits of PCG64, which NumPy keeps from version to version, scaled to the number of users.
    """

    def __init__(self, users: int, resamples: int, seed: int) -> None:
        bits = np.random.PCG64(seed)
        self.counts = np.empty((1 + resamples, users), np.uint8)  # over 255 times: never
        self.counts[0] = 1
        for row in self.counts[1:]:
            drawn = (bits.random_raw(users) >> np.uint64(32)) * np.uint64(users) >> np.uint64(32)
            row[:] = np.bincount(drawn.view(np.int64), minlength=users)

    def sums(self, columns: Floats, first: int = 0) -> Floats:
        """[1 + resamples, columns] from the [n, columns] of the n users from place `first` on."""
        counts = self.counts[:, first : first + len(columns)]
        blocks = range(0, len(counts), AT_ONCE)
        return np.concatenate(
            [counts[at : at + AT_ONCE].astype(np.float64) @ columns for at in blocks]
        )


def percentile_interval(resampled: Floats) -> tuple[Floats, Floats]:
    """The 2.5 % and 97.5 % points of [resamples, columns], NaN left out."""
    low, high = np.nanpercentile(resampled, PERCENTILES, axis=0)
    return low, high
