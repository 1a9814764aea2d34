"""Calibrates the model's distributions on the validation fold.

A language model's probabilities are often too sharp, and biased to some values. Temperature and
vector scaling (Guo et al., 2017, arXiv 1706.04599) correct both: log-probabilities are multiplied
by a sharpness, and an offset is added for each value. Cross-validation over users chooses how many
of these parameters are fitted, so that only what generalises is corrected.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray
from scipy.special import log_softmax

from tasks.predict.intervals import Widths, fit_widths

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FOLDS = 5  # of users, in cross-validation
METHODS = ("none", "temperature", "temperature and offsets")
PENALTY = 1.0  # on squared offsets: a Gaussian prior with mean 0 and variance 1/2


@dataclass(frozen=True)
class Calibration:
    """Parameters fitted on the validation fold. `widths` are those of the 80 % interval."""

    method: str
    sharpness: float
    offsets: tuple[float, ...]
    ratings: int  # in the fit
    nats_before: float  # cross-entropy a rating, uncalibrated
    nats_after: float  # cross-entropy a rating, cross-validated over users
    level: float  # share of the validation targets that the intervals are fitted to hold
    widths: Widths = field(default_factory=Widths)

    def apply(self, log_p: Floats) -> Floats:
        """Return calibrated log-probabilities [ratings, values]."""
        return _scale(log_p, np.array([self.sharpness, *self.offsets]))

    def to_json(self) -> dict[str, Any]:
        """For calibration.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """From calibration.json."""
        return pydantic.TypeAdapter(cls).validate_python(values)


def uncalibrated(values: int) -> Calibration:
    """The identity, used where there is no validation fold."""
    return Calibration("none", 1.0, (0.0,) * values, 0, np.nan, np.nan, np.nan)


def fit_calibration(log_p: Floats, truth: Ints, users: Ints, level: float) -> Calibration:
    """Fit on log-probabilities [ratings, values], the index of each true value, and its user.

    `level` is the share of these ratings that the intervals must hold. Takes the method of least
    cross-validated cross-entropy, the simplest among equals.
    """
    values = log_p.shape[1]
    if not len(truth):
        return uncalibrated(values)
    losses = {method: _cross_validated(log_p, truth, users, method) for method in METHODS}
    method = min(METHODS, key=lambda name: losses[name])
    weights = _fit(log_p, truth, method)
    calibrated = np.exp(_scale(log_p, weights))
    return Calibration(
        method=method,
        sharpness=float(weights[0]),
        offsets=tuple(weights[1:].tolist()),
        ratings=len(truth),
        nats_before=_nats(log_p, truth),
        nats_after=losses[method],
        level=level,
        widths=fit_widths(calibrated, truth, users, level),
    )


def _scale(log_p: Floats, weights: Floats) -> Floats:
    return log_softmax(weights[0] * log_p + weights[1:], axis=1)


def _nats(log_p: Floats, truth: Ints) -> float:
    """Mean cross-entropy in nats a rating."""
    return float(-log_p[np.arange(len(truth)), truth].mean())


def _fit(log_p: Floats, truth: Ints, method: str) -> Floats:
    """Sharpness and offsets of least cross-entropy. Convex: the minimum is unique."""
    from scipy.optimize import minimize  # takes 0.2 s, which applying a calibration does not need

    start = np.r_[1.0, np.zeros(log_p.shape[1])]
    free = {"none": 0, "temperature": 1, "temperature and offsets": len(start)}[method]
    if not free:
        return start
    hits = np.eye(log_p.shape[1])[truth]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights = np.r_[parameters, start[free:]]
        scaled = _scale(log_p, weights)
        surplus = np.exp(scaled) - hits
        slope = np.r_[(surplus * log_p).sum(), surplus.sum(0) + 2 * PENALTY * weights[1:]]
        total = -scaled[hits.astype(bool)].sum() + PENALTY * (weights[1:] ** 2).sum()
        return total / len(truth), slope[:free] / len(truth)

    found = minimize(loss, start[:free], jac=True, method="L-BFGS-B")
    return np.r_[found.x, start[free:]]


def _cross_validated(log_p: Floats, truth: Ints, users: Ints, method: str) -> float:
    """Nats a rating, each fold of users being calibrated on the others."""
    fold = np.unique(users, return_inverse=True)[1] % FOLDS
    total = 0.0
    for held_out in (np.flatnonzero(fold == i) for i in range(FOLDS)):
        if len(held_out):
            rest = np.setdiff1d(np.arange(len(truth)), held_out)
            weights = _fit(log_p[rest], truth[rest], method if len(rest) else "none")
            total += len(held_out) * _nats(_scale(log_p[held_out], weights), truth[held_out])
    return total / len(truth)
