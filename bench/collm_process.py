"""A Gaussian process over each user's residuals, in the order of time: level, session, year, text.

The covariance of two ratings of a user is a constant, plus what decays with the time between them,
plus what decays with the years between their films, plus, for the language model, the squared
cosine of the films' hidden states. The leading block of a Cholesky factor is the factor of the
leading block, so one factor a user predicts every rating from those before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from tasks.features.behaviour import History, Questions

Floats = NDArray[np.float64]
NOISE = 0.2  # variance of a liked-or-not label
UNKNOWN = 1e6  # variance of a residual that says nothing
HALF_HOUR = 1.8e9  # microseconds


@dataclass(frozen=True)
class Covariance:
    """Variances, chosen on the validation fold, and how fast they decay."""

    level: float = 0.01
    session: float = 0.02
    year: float = 0.01
    text: float = 0.0
    years: float = 10.0

    def of(self, history: History, rows: slice, vectors: Floats) -> Floats:
        """[rows, rows] of a user's ratings; `vectors` [films, width] have length 1 or 0."""
        film, time = history.film[rows], history.time[rows].astype(np.float64)
        years = history.year[film]
        years = np.where(np.isnan(years), np.nanmean(history.year), years)
        sum_ = self.level + self.session * np.exp(-_apart(time) / HALF_HOUR)
        sum_ = sum_ + self.year * np.exp(-_apart(years) / self.years)
        if self.text:
            near = np.maximum(vectors[film] @ vectors[film].T, 0)
            sum_ = sum_ + self.text * near**2
        return sum_


def posterior_means(
    residual: Floats, questions: Questions, covariance: Callable[[slice], Floats]
) -> Floats:
    """The expected residual of every rating, given those in its [start, end): [ratings].

    Ratings are sorted by user and time; what lies behind a question's end has no part in it, nor
    has a residual of NaN.
    """
    known, means = np.nan_to_num(residual), np.zeros(len(residual))
    noise = np.where(np.isnan(residual), UNKNOWN, NOISE)
    starts = np.unique(questions.start)
    for first, last in zip(starts, [*starts[1:], len(residual)], strict=True):
        rows = slice(first, last)
        count = last - first
        factor = cholesky(covariance(rows) + np.diag(noise[rows]), lower=True)
        whitened = solve_triangular(factor, known[rows], lower=True)
        before = np.arange(count) < (questions.end[rows] - first)[:, None]
        means[rows] = (factor * before) @ whitened
    return means


def _apart(values: Floats) -> Floats:
    return np.abs(values[:, None] - values)
