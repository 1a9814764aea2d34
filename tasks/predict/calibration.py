"""Corrects the model's distributions by what the validation fold showed.

A language model's probabilities are often too sharp, and lean to some values. Temperature and
vector scaling (Guo et al., 2017, arXiv 1706.04599) correct both: log-probabilities are multiplied
by a sharpness and shifted by an offset a value. How many of these a model needs is told by
cross-validation over users, so nothing is corrected that does not generalise.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray
from scipy.special import log_softmax

from tasks.predict.intervals import Widths, fit_widths

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
METHODS = ("none", "temperature", "temperature and offsets")
PENALTY = 1.0  # on squared offsets: as if each had been seen to be 0 with variance 1/2


@dataclass(frozen=True)
class Calibration:
    """Fitted on the validation fold alone. `widths` are those of the 80 % interval."""

    method: str
    sharpness: float
    offsets: tuple[float, ...]
    ratings: int  # that it was fitted on
    nats_before: float  # a rating, on validation
    nats_after: float  # a rating, cross-validated over users
    level: float  # share of the validation targets that the intervals were to hold
    widths: Widths = field(default_factory=Widths)

    def apply(self, log_p: Floats) -> Floats:
        """Calibrated log-probabilities [ratings, values]."""
        return _scaled(log_p, np.array([self.sharpness, *self.offsets]))

    def json(self) -> dict[str, Any]:
        """For the artifact."""
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Calibration":
        """From the artifact."""
        return pydantic.TypeAdapter(cls).validate_python(told)


def uncalibrated(values: int) -> Calibration:
    """What stands where no validation fold exists: the model's own word."""
    return Calibration("none", 1.0, (0.0,) * values, 0, np.nan, np.nan, np.nan)


def fit_calibration(log_p: Floats, truth: Ints, users: Ints, level: float) -> Calibration:
    """From log-probabilities [ratings, values], the index of each true value, and its user.

    `level` is the share of these ratings that the intervals are to hold.

    The method is the simplest that is best when each fifth of the users is told from the rest.
    """
    values = log_p.shape[1]
    if not len(truth):
        return uncalibrated(values)
    losses = {method: _cross_validated(log_p, truth, users, method) for method in METHODS}
    method = min(METHODS, key=lambda name: losses[name])
    weights = _fit(log_p, truth, method)
    calibrated = np.exp(_scaled(log_p, weights))
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


def _scaled(log_p: Floats, weights: Floats) -> Floats:
    return log_softmax(weights[0] * log_p + weights[1:], axis=1)


def _nats(log_p: Floats, truth: Ints) -> float:
    return float(-log_p[np.arange(len(truth)), truth].mean())


def _fit(log_p: Floats, truth: Ints, method: str) -> Floats:
    """Sharpness and offsets of least cross-entropy; convex, so there is one answer."""
    from scipy.optimize import minimize  # 0.2 s that who only reads need not wait

    start = np.r_[1.0, np.zeros(log_p.shape[1])]
    free = {"none": 0, "temperature": 1, "temperature and offsets": len(start)}[method]
    if not free:
        return start
    hits = np.eye(log_p.shape[1])[truth]

    def loss(some: Floats) -> tuple[float, Floats]:
        weights = np.r_[some, start[free:]]
        scaled = _scaled(log_p, weights)
        surplus = np.exp(scaled) - hits
        slope = np.r_[(surplus * log_p).sum(), surplus.sum(0) + 2 * PENALTY * weights[1:]]
        total = -scaled[hits.astype(bool)].sum() + PENALTY * (weights[1:] ** 2).sum()
        return total / len(truth), slope[:free] / len(truth)

    found = minimize(loss, start[:free], jac=True, method="L-BFGS-B")
    return np.r_[found.x, start[free:]]


def _cross_validated(log_p: Floats, truth: Ints, users: Ints, method: str) -> float:
    """Nats a rating where each fifth of the users is calibrated by the others."""
    fifth = np.unique(users, return_inverse=True)[1] % 5
    parts: Sequence[Ints] = [np.flatnonzero(fifth == i) for i in range(5)]
    total = 0.0
    for held_out in parts:
        if len(held_out):
            rest = np.setdiff1d(np.arange(len(truth)), held_out)
            weights = _fit(log_p[rest], truth[rest], method) if len(rest) else _fit_none(log_p)
            total += len(held_out) * _nats(_scaled(log_p[held_out], weights), truth[held_out])
    return total / len(truth)


def _fit_none(log_p: Floats) -> Floats:
    return np.r_[1.0, np.zeros(log_p.shape[1])]
