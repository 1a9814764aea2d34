"""Summarises distributions over the rating scale: the best value for each error measure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LIKED = 4.0  # stars from which a film counts as liked


@dataclass(frozen=True)
class Summary:
    """One entry a rating, in stars; p_like is a probability."""

    mean: Floats
    median: Floats
    mode: Floats
    within_half: Floats
    pi80_low: Floats
    pi80_high: Floats
    p_like: Floats


def summarise(probabilities: Floats, scale: Floats, mass: Floats) -> Summary:
    """Summarise probabilities [ratings, values]; interval i holds the central `mass[i]`."""
    running = probabilities.cumsum(1)
    return Summary(
        mean=probabilities @ scale,
        median=scale[(running < 0.5 * running[:, -1:]).sum(1)],
        mode=scale[probabilities.argmax(1)],
        within_half=_within_half(probabilities, scale),
        pi80_low=_quantile(probabilities, scale, (1 - mass) / 2),
        pi80_high=_quantile(probabilities, scale, (1 + mass) / 2),
        p_like=probabilities[:, scale >= LIKED].sum(1),
    )


def mid_distribution(probabilities: Floats) -> Floats:
    """P(less) + P(equal) / 2 for each value (Parzen's mid-distribution function)."""
    return probabilities.cumsum(1) - probabilities / 2


def _within_half(probabilities: Floats, scale: Floats) -> Floats:
    """The value with most probability within half a star; the lowest among equals.

    On a scale of whole stars it is often a half star, which is within reach of two ratings.
    """
    values = np.unique(np.r_[scale, (scale[1:] + scale[:-1]) / 2])
    within = np.abs(scale[:, None] - values) <= 0.5
    return values[np.round(probabilities @ within, 9).argmax(1)]


def _quantile(probabilities: Floats, scale: Floats, level: Floats) -> Floats:
    """Where the mid-distribution function reaches `level`, linear between the values.

    A value lies within the interval exactly if its own mid-distribution lies within the two levels.
    Clipped to the ends of the scale.
    """
    middle = mid_distribution(probabilities)
    above = np.clip((middle < level[:, None]).sum(1), 1, len(scale) - 1)
    rows = np.arange(len(middle))
    left, right = middle[rows, above - 1], middle[rows, above]
    share = (level - left) / np.maximum(right - left, 1e-12)
    return scale[above - 1] + np.clip(share, 0, 1) * (scale[above] - scale[above - 1])
