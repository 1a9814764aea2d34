"""Describes a metric: which sums it needs, and how they become a figure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MILLION = 1_000_000  # sums are in whole millionths
BINS = 10


@dataclass(frozen=True)
class Metric:
    """A file of sql/metrics.

    `mean`: (sum / count) ** power. `bins`: |bin sum / count - expected|, added up over the bins.
    `ratio`: sum / weight, less another such ratio where `has_less`. `pooled`: over everyone only.
    `relevance`: which films counted as hits, liked or rated ones; null where that plays no part.
    """

    name: str
    k: int | None = None
    kind: Literal["mean", "bins", "ratio"] = "mean"
    power: float = 1.0
    expected: float = 0.0
    has_less: bool = False
    pooled: bool = False
    relevance: str | None = None

    @property
    def width(self) -> int:
        """How many sums it needs."""
        return {"mean": 1, "bins": BINS, "ratio": 4 if self.has_less else 2}[self.kind]

    def n(self, sums: Floats, count: float) -> int:
        """Over how many it is a mean: of a ratio over lists the weight, else the count."""
        return int(sums[1] / MILLION if self.k and self.kind == "ratio" else count)

    def figure(self, sums: Floats, count: Floats) -> Floats:
        """[rows] from the sums [rows, width] and the counts [rows]; NaN where it has no meaning."""
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.kind == "mean":
                return (sums[:, 0] / MILLION / count) ** self.power
            if self.kind == "bins":
                deviation = np.abs(sums - self.expected * MILLION * count[:, None])
                return deviation.sum(axis=1) / MILLION / count
            less = sums[:, 2] / sums[:, 3] if self.has_less else 0.0
            return sums[:, 0] / sums[:, 1] - less
