"""Fits how wide the 80 % prediction interval must be to hold the validation targets.

Split conformal prediction over users, who have several ratings each (Lee, Barber and Willett, 2023,
arXiv 2306.06342): with n users the quantile is taken at level * (1 + 1 / n). The score of a rating
is its distance from the median of its own distribution, in probability, as in distributional
conformal prediction (Chernozhukov et al., 2021, PNAS 118(48)), with the mid-distribution function
in place of the distribution function, since ratings are discrete.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.predict.distributions import mid_distribution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COVERAGE = 0.8
GROUPS = (1, 2, 3, 4)
FOLDS = 5  # of users, in cross-validation


@dataclass(frozen=True)
class Widths:
    """The central probability mass of an interval, by the distribution's standard deviation.

    `edges` separate the groups; group i has `masses[i]`.
    """

    edges: tuple[float, ...] = ()
    masses: tuple[float, ...] = (COVERAGE,)

    def select(self, probabilities: Floats) -> Floats:
        """One mass for each of the distributions [ratings, values]."""
        group = np.searchsorted(np.array(self.edges), _std(probabilities), side="right")
        return np.array(self.masses)[group]


def fit_widths(probabilities: Floats, truth: Ints, users: Ints, level: float) -> Widths:
    """Fit masses so that each group's intervals hold the share `level` of its true ratings.

    `truth` are indices into the scale. The number of equally large groups is the one of least
    pinball loss in cross-validation over users; the fewest among equals.
    """
    middle = mid_distribution(probabilities)[np.arange(len(truth)), truth]
    scores, spread = np.abs(2 * middle - 1), _std(probabilities)
    fold = np.unique(users, return_inverse=True)[1] % FOLDS

    def pinball_loss(groups: int) -> float:
        """Least where each group's mass is its quantile (Koenker and Bassett, 1978)."""
        total = 0.0
        for i in range(FOLDS):
            held_out, rest = fold == i, fold != i
            if rest.any():
                widths = _fit(scores[rest], spread[rest], users[rest], level, groups)
                over = scores[held_out] - widths.select(probabilities[held_out])
                total += float(np.maximum(level * over, (level - 1) * over).sum())
        return round(total / len(truth), 9)

    return _fit(scores, spread, users, level, min(GROUPS, key=pinball_loss))


def _fit(scores: Floats, spread: Floats, users: Ints, level: float, groups: int) -> Widths:
    edges = np.quantile(spread, np.arange(1, groups) / groups)
    group, people = np.searchsorted(edges, spread, side="right"), len(np.unique(users))
    masses = [_quantile(scores[group == i], level * (1 + 1 / people)) for i in range(groups)]
    return Widths(tuple(edges.tolist()), tuple(masses))


def _quantile(scores: Floats, level: float) -> float:
    """The least score that the share `level` of the scores does not exceed; 1 without scores."""
    if not len(scores) or level >= 1:
        return 1.0
    return float(np.sort(scores)[int(np.ceil(level * len(scores))) - 1])


def _std(probabilities: Floats) -> Floats:
    """Standard deviation in steps of the scale."""
    steps = np.arange(probabilities.shape[1])
    mean = probabilities @ steps
    return np.sqrt(np.maximum(probabilities @ steps**2 - mean**2, 0.0))
