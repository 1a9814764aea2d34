"""How wide the 80 % interval has to be, from how far the validation targets lay from the middle.

Split conformal prediction for people, of whom each has several ratings (Lee, Barber and Willett,
2023, arXiv 2306.06342): of so many users one more is to be expected beyond the last. The score of a
rating is how far it lies from the middle of its own distribution, as in distributional conformal
prediction (Chernozhukov et al., 2021, PNAS 118(48)), with the mid-distribution function in place of
the distribution function, since ratings have atoms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.predict.distributions import middle_distribution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COVERED = 0.8
GROUPS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Widths:
    """The central mass of the interval, by how spread a distribution is: `edges` divide these."""

    edges: tuple[float, ...] = ()
    masses: tuple[float, ...] = (COVERED,)

    def of(self, probabilities: Floats) -> Floats:
        """One mass a rating."""
        group = np.searchsorted(np.array(self.edges), _spread(probabilities), side="right")
        return np.array(self.masses)[group]


def fit_widths(probabilities: Floats, truth: Ints, users: Ints, level: float) -> Widths:
    """Masses that hold the truth of the share `level` of the ratings of each group.

    There are as many groups of equal size as suit best when each fifth of the users is told from
    the others; of equals the fewest.
    """
    middle = middle_distribution(probabilities)[np.arange(len(truth)), truth]
    scores, spread = np.abs(2 * middle - 1), _spread(probabilities)
    fifth = np.unique(users, return_inverse=True)[1] % 5

    def loss(groups: int) -> float:
        """Pinball loss, least where each group's mass is its quantile (Koenker, 1978)."""
        total = 0.0
        for i in range(5):
            told, rest = fifth == i, fifth != i
            if rest.any():
                widths = _fit(scores[rest], spread[rest], users[rest], level, groups)
                over = scores[told] - widths.of(probabilities[told])
                total += float(np.maximum(level * over, (level - 1) * over).sum())
        return round(total / len(truth), 9)

    return _fit(scores, spread, users, level, min(GROUPS, key=loss))


def _fit(scores: Floats, spread: Floats, users: Ints, level: float, groups: int) -> Widths:
    edges = np.quantile(spread, np.arange(1, groups) / groups)
    group, people = np.searchsorted(edges, spread, side="right"), len(np.unique(users))
    masses = [_quantile(scores[group == i], level * (1 + 1 / people)) for i in range(groups)]
    return Widths(tuple(edges.tolist()), tuple(masses))


def _quantile(scores: Floats, level: float) -> float:
    """The least score that so many are not above; of none, all that there is."""
    if not len(scores) or level >= 1:
        return 1.0
    return float(np.sort(scores)[int(np.ceil(level * len(scores))) - 1])


def _spread(probabilities: Floats) -> Floats:
    """Standard deviation in steps of the scale."""
    steps = np.arange(probabilities.shape[1])
    mean = probabilities @ steps
    return np.sqrt(np.maximum(probabilities @ steps**2 - mean**2, 0.0))
