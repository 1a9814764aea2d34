"""Settings of point-in-time features."""

from typing import Literal

import pydantic


class Neighbours(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The covariance of `gaussian_process_prediction`."""

    shrinkage: float = pydantic.Field(50, ge=0)
    """Ratings added to the count of every film."""
    noise: float = pydantic.Field(0.8, gt=0)
    """Noise on the diagonal, in variances of the bias model's residuals."""


class FeatureSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How features are computed."""

    features_as_of: Literal["rating", "fold"] = "fold"
    """Time of a target's features: before the rating itself, or the end of the earlier folds, which
    is what the baselines know. Context lines always have the features of their own time."""
    item_damping: float = pydantic.Field(2, ge=0)
    """Ratings at the mean that damp each film's bias."""
    user_damping: float = pydantic.Field(10, ge=0)
    """Ratings at the mean that damp each user's bias."""
    prior: Literal["bias", "neighbours", "fitted"] = "fitted"
    """Prior on each line: `fitted` by the prior stage, as text and as an anchor; or as text alone:
    damped biases, or biases corrected by Gaussian-process regression over the user's other
    ratings."""
    neighbours: Neighbours = Neighbours()
