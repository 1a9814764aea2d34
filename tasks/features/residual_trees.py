"""Corrects the machine's distribution by boosted trees over the user's latest behaviour.

One ensemble moves the log-probabilities, a second predicts the residual of the expectation, and the
distribution is tilted to that mean: q(r) ~ p(r) exp(theta r), which of all distributions with this
mean is the nearest to p (Csiszar, 1975, Annals of Probability 3(1)).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  # brings the OpenMP runtime that LightGBM is linked to
from lightgbm import Booster, Dataset, train
from numpy.typing import NDArray
from scipy.special import log_softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 30  # of Newton's method
MARGIN = 0.05  # stars between a corrected mean and the ends of the scale
# Small and slow, since residuals are mostly noise. One thread: the same bytes on any machine.
TREES = {
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "lambda_l2": 10,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
ROUNDS = {"shape": 50, "mean": 150}


@dataclass(frozen=True)
class ResidualTrees:
    """Two fitted ensembles; without any, distributions stay as they are."""

    shape: Booster | None = None
    mean: Booster | None = None

    @classmethod
    def fit(
        cls, behaviour: Floats, p: Floats, code: Ints, scale: Floats, seed: int
    ) -> "ResidualTrees":
        """Fit to ratings: `behaviour` [ratings, columns], what was expected [ratings, values], and
        the index of each true value.
        """
        if len(code) < 2 * TREES["min_data_in_leaf"]:
            return cls()
        options: dict[str, Any] = TREES | {"seed": seed}
        shape = options | {"objective": "multiclass", "num_class": len(scale)}
        start = np.log(p).ravel(order="F")
        residual = scale[code] - p @ scale
        return cls(
            train(shape, Dataset(behaviour, code, init_score=start), ROUNDS["shape"]),
            train(options, Dataset(behaviour, residual), ROUNDS["mean"]),
        )

    def correct(self, behaviour: Floats, p: Floats, scale: Floats) -> Floats:
        """The corrected distributions [ratings, values]."""
        if self.shape is None or self.mean is None or not len(p):
            return p
        moved = np.log(p) + np.asarray(self.shape.predict(behaviour, raw_score=True))
        wanted = p @ scale + np.asarray(self.mean.predict(behaviour))
        return tilt(np.exp(log_softmax(moved, axis=1)), scale, wanted)

    def save(self, folder: Path, name: str) -> None:
        """Write both ensembles in LightGBM's text format."""
        for part, trees in (("shape", self.shape), ("mean", self.mean)):
            if trees is not None:
                trees.save_model(str(folder / f"{name}-{part}.txt"))

    @classmethod
    def load(cls, folder: Path, name: str) -> "ResidualTrees":
        """Read what `save` wrote."""
        files = [folder / f"{name}-{part}.txt" for part in ("shape", "mean")]
        return cls(*(Booster(model_file=str(f)) if f.exists() else None for f in files))


def tilt(p: Floats, scale: Floats, mean: Floats) -> Floats:
    """Distributions [ratings, values], moved to these means in stars, within the scale."""
    wanted = np.clip(mean, scale[0] + MARGIN, scale[-1] - MARGIN)
    centred, theta, tilted = scale - scale.mean(), np.zeros(len(p)), p
    for _ in range(STEPS):
        error = wanted - tilted @ scale
        variance = np.maximum(tilted @ scale**2 - (tilted @ scale) ** 2, 1e-3)
        theta += np.clip(error / variance, -2, 2)
        tilted = p * np.exp(theta[:, None] * centred)
        tilted /= tilted.sum(1, keepdims=True)
    return tilted
