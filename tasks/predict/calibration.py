"""Calibrates the model's distributions on the validation fold.

log p(r) = gate * log p_model(r) + sharpness * log prior(r) + offset(r) - log Z. The product of the
model and the prior that it was trained to correct (Hinton, 2002, Neural Computation 14(8)), where
probabilities are often too sharp, and biased to some values: temperature and vector scaling (Guo et
al., 2017, arXiv 1706.04599). Cross-validation over users chooses which parameters are fitted, so
that only what generalises is corrected; with the method "prior" the model has no part.
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
# How many of gate, sharpness and offsets each method fits, and the values of the others; the
# simplest first. "none" is what was trained.
METHODS = {
    "prior": (0, (0.0, 1.0)),
    "none": (0, (1.0, 1.0)),
    "gate": (1, (1.0, 1.0)),
    "temperature": (2, (1.0, 1.0)),
    "temperature and offsets": (None, (1.0, 1.0)),
}
PENALTY = 1.0  # on squared offsets: a Gaussian prior with mean 0 and variance 1/2


@dataclass(frozen=True)
class Calibration:
    """Parameters fitted on the validation fold. `widths` are those of the 80 % interval."""

    method: str
    gate: float
    sharpness: float
    offsets: tuple[float, ...]
    ratings: int  # in the fit
    nats_before: float  # cross-entropy a rating, uncalibrated
    nats_after: float  # cross-entropy a rating, cross-validated over users
    level: float  # share of the validation targets that the intervals are fitted to hold
    widths: Widths = field(default_factory=Widths)

    def apply(self, log_p: Floats, log_prior: Floats) -> Floats:
        """Return calibrated log-probabilities [ratings, values]."""
        weights = np.array([self.gate, self.sharpness, *self.offsets])
        return _combine(np.stack([log_p, log_prior]), weights)

    def to_json(self) -> dict[str, Any]:
        """For calibration.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """From calibration.json; one that was written before there was a prior has no gate."""
        if "gate" not in values:
            values = values | {"gate": values["sharpness"]}
        return pydantic.TypeAdapter(cls).validate_python(values)


def uncalibrated(values: int) -> Calibration:
    """The product of model and prior, used where there is no validation fold."""
    return Calibration("none", 1.0, 1.0, (0.0,) * values, 0, np.nan, np.nan, np.nan)


def fit_calibration(
    log_p: Floats, log_prior: Floats, truth: Ints, users: Ints, level: float
) -> Calibration:
    """Fit on log-probabilities [ratings, values], the index of each true value, and its user.

    `log_prior` is zero where there is no prior. `level` is the share of these ratings that the
    intervals must hold. Takes the method of least cross-validated cross-entropy, the simplest among
    equals.
    """
    values = log_p.shape[1]
    if not len(truth):
        return uncalibrated(values)
    both = np.stack([log_p, log_prior])
    losses = {method: _cross_validated(both, truth, users, method) for method in METHODS}
    method = min(METHODS, key=lambda name: losses[name])
    weights = _fit(both, truth, method)
    calibrated = np.exp(_combine(both, weights))
    return Calibration(
        method=method,
        gate=float(weights[0]),
        sharpness=float(weights[1]),
        offsets=tuple(weights[2:].tolist()),
        ratings=len(truth),
        nats_before=_nats(_combine(both, _fit(both, truth, "none")), truth),
        nats_after=losses[method],
        level=level,
        widths=fit_widths(calibrated, truth, users, level),
    )


def _combine(both: Floats, weights: Floats) -> Floats:
    """`both` [model and prior, ratings, values] weighted by gate and sharpness, plus offsets."""
    return log_softmax(np.tensordot(weights[:2], both, 1) + weights[2:], axis=1)


def _nats(log_p: Floats, truth: Ints) -> float:
    """Mean cross-entropy in nats a rating."""
    return float(-log_p[np.arange(len(truth)), truth].mean())


def _fit(both: Floats, truth: Ints, method: str) -> Floats:
    """Gate, sharpness and offsets of least cross-entropy. Convex: the minimum is unique."""
    from scipy.optimize import minimize  # takes 0.2 s, which applying a calibration does not need

    free, fixed = METHODS[method]
    start = np.r_[fixed, np.zeros(both.shape[2])]
    if free == 0:
        return start
    hits = np.eye(both.shape[2])[truth]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights = np.r_[parameters, start[len(parameters) :]]
        scaled = _combine(both, weights)
        surplus = np.exp(scaled) - hits
        slope = np.r_[(surplus * both).sum((1, 2)), surplus.sum(0) + 2 * PENALTY * weights[2:]]
        total = -scaled[hits.astype(bool)].sum() + PENALTY * (weights[2:] ** 2).sum()
        return total / len(truth), slope[: len(parameters)] / len(truth)

    found = minimize(loss, start[:free], jac=True, method="L-BFGS-B")
    return np.r_[found.x, start[len(found.x) :]]


def _cross_validated(both: Floats, truth: Ints, users: Ints, method: str) -> float:
    """Nats a rating, each fold of users being calibrated on the others."""
    fold = np.unique(users, return_inverse=True)[1] % FOLDS
    total = 0.0
    for held_out in (np.flatnonzero(fold == i) for i in range(FOLDS)):
        if len(held_out):
            rest = np.setdiff1d(np.arange(len(truth)), held_out)
            weights = _fit(both[:, rest], truth[rest], method if len(rest) else "none")
            log_p = _combine(both[:, held_out], weights)
            total += len(held_out) * _nats(log_p, truth[held_out])
    return total / len(truth)
