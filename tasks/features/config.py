"""What can be set about point-in-time features."""

from typing import Literal

import pydantic


class Neighbours(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The covariance of `gaussian_process_prediction`."""

    shrinkage: float = pydantic.Field(50, ge=0)  # ratings added to the count of every film
    noise: float = pydantic.Field(0.8, gt=0)  # in variances of the bias model's residuals


class FeatureSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How features are computed."""

    # The time of a target's features: before the rating itself, or at the end of the earlier
    # folds, which is what baselines fitted on them know. Context lines and ratings learnt from a
    # history always have the features of their own time.
    facts_as_of: Literal["rating", "fold"] = "fold"
    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(10, ge=0)
    # The model behind the prior at the end of the earlier folds: damped biases, whose time grows
    # with the number of ratings, or also films that are rated alike.
    guess: Literal["bias", "neighbours"] = "neighbours"
    neighbours: Neighbours = Neighbours()
