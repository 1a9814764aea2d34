"""Adjusts p-values for many comparisons: max-T over the resamples that also give the intervals.

Single-step max-T (Westfall and Young, 1993, Resampling-Based Multiple Testing, section 2.5): the
adjusted p of a difference is the share of resamples in which any difference of its family strays as
far from its mean, in standard errors, as this one is from 0. The chance of one wrong "better" in a
family is then 5 %, whatever the correlations of its members.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Family:
    """Comparisons that are judged together; of each resample only the largest deviation is kept."""

    def __init__(self) -> None:
        self.largest: Floats | None = None

    def add(self, differences: Floats) -> Floats:
        """Add the [1 + resamples, comparisons]; return how many standard errors each is from 0.

        A difference that no resample changes counts 0: nothing is known of its chance.
        """
        observed, resampled = differences[0], differences[1:]
        with np.errstate(invalid="ignore"):
            error = np.nanstd(resampled, axis=0)
            known = error > 1e-9 * np.maximum(np.abs(observed), 1e-6)
            error = np.where(known, error, np.inf)
            strays = np.nan_to_num(np.abs(resampled - observed) / error).max(axis=1)
        self.largest = strays if self.largest is None else np.maximum(self.largest, strays)
        return np.abs(observed) / error

    def adjusted_p(self, t: float) -> float:
        """The p of a difference of t standard errors, once all of the family were added."""
        assert self.largest is not None
        return float((1 + np.count_nonzero(self.largest >= t)) / (1 + len(self.largest)))
