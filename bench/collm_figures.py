"""AUC and UAUC over resampled users, as CoLLM's code computes them.

AUC is over all ratings. UAUC is the plain mean, over the users with ratings of both kinds, of AUC
within the user (`uAUC_me` in minigpt4/tasks/rec_base_task.py of zyang1580/CoLLM).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.bootstrap import Resamples, percentile_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
RESAMPLES = 2000
Interval = tuple[float, float, float]  # the figure, and the ends of its 95 % interval


def weighted_auc(score: Floats, liked: Bools, weights: Floats) -> Floats:
    """[rows of weights]: AUC where rating i counts `weights[:, i]` times; ties count half."""
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # of equal scores
    liked_at, other_at = (
        np.add.reduceat(weights[:, order] * kind[order], first, axis=1) for kind in (liked, ~liked)
    )
    below = np.cumsum(other_at, axis=1) - other_at / 2
    pairs = liked_at.sum(1) * other_at.sum(1)
    return (liked_at * below).sum(1) / np.where(pairs > 0, pairs, np.nan)


def auc_by_user(score: Floats, liked: Bools, user: Ints) -> Floats:
    """[users]: AUC within each user, from 0; NaN where all ratings are of one kind."""
    result = np.full(user.max() + 1, np.nan)
    for number in np.unique(user):
        own = user == number
        result[number] = weighted_auc(score[own], liked[own], np.ones((1, own.sum())))[0]
    return result


class Figures:
    """Of ratings of users [ratings]; the same resamples of users for all scores.

    A score is [seeds, ratings]: a figure is the mean over the seeds, and in a resample over as many
    seeds, drawn again.
    """

    def __init__(self, liked: Bools, user: Ints, seeds: int, resamples: int = RESAMPLES) -> None:
        self.liked, self.user = liked, np.unique(user, return_inverse=True)[1]
        self.counts = Resamples(int(self.user.max()) + 1, resamples, seed=0).counts
        drawn = np.random.default_rng(0).integers(seeds, size=(resamples, seeds))
        share = np.stack([(drawn == seed).mean(1) for seed in range(seeds)], axis=1)
        self.share = np.concatenate([np.full((1, seeds), 1 / seeds), share])  # of each seed

    def auc(self, score: Floats) -> Floats:
        """[1 + resamples], the first over everyone."""
        at_once = np.array_split(self.counts, 1 + len(self.counts) // 100)
        blocks = [counts[:, self.user].astype(np.float64) for counts in at_once]
        by_seed = [np.concatenate([weighted_auc(s, self.liked, b) for b in blocks]) for s in score]
        return (np.stack(by_seed, axis=1) * self.share).sum(1)

    def uauc(self, score: Floats) -> Floats:
        """[1 + resamples], the first over everyone."""
        by_user = np.stack([auc_by_user(s, self.liked, self.user) for s in score], axis=1)
        both = ~np.isnan(by_user[:, 0])
        counts = self.counts[:, both].astype(np.float64)
        by_seed = counts @ by_user[both] / counts.sum(1, keepdims=True)
        return (by_seed * self.share).sum(1)


def interval(resampled: Floats) -> Interval:
    """The figure over everyone, with its interval."""
    low, high = percentile_interval(resampled[1:, None])
    return float(resampled[0]), float(low[0]), float(high[0])


def mix(members: Sequence[Floats], liked: Bools, known: Bools) -> Floats:
    """Probabilities [ratings] from members' [ratings], by a logistic regression of `known` ratings.

    Nonnegative weights of the log-odds, and a constant: least cross-entropy, with a ridge of one
    rating towards equal weights.
    """
    from scipy.optimize import minimize

    odds = np.stack([np.log(p / (1 - p)) for p in members], axis=1)
    x, y, equal = odds[known], liked[known].astype(np.float64), 1 / len(members)

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w[:-1] + w[-1]
        surplus = 1 / (1 + np.exp(-z)) - y
        total = np.logaddexp(0, z).sum() - z @ y + ((w[:-1] - equal) ** 2).sum() / 2
        return total, np.r_[x.T @ surplus + w[:-1] - equal, surplus.sum()]

    bounds = [(0.0, None)] * len(members) + [(None, None)]
    start = np.r_[np.full(len(members), equal), 0.0]
    w = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    mixed: Floats = 1 / (1 + np.exp(-(odds @ w[:-1] + w[-1])))
    return mixed
