"""Settings of the baselines."""

from typing import Literal, get_args

import pydantic

from tasks.features.config import Neighbours

RatingModelName = Literal[
    "bias", "constant", "context_mean", "context_median", "funk_svd", "global_mean", "item_knn",
    "item_mean", "matrix_factorisation", "neighbourhood", "user_mean",
]  # fmt: skip
ListModelName = Literal["ease", "implicit_item_knn", "implicit_mf", "popularity"]


class Neighbourhood(Neighbours, frozen=True, extra="forbid"):
    """By default as in the prompts' prior: see tasks/features/collaborative.py."""

    item_damping: float = pydantic.Field(2, ge=0)
    """Ratings at the mean that damp each film's bias."""
    user_damping: float = pydantic.Field(10, ge=0)
    """Ratings at the mean that damp each user's bias."""


class Baseline(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which baselines there are, and how they are fitted.

    Neighbours and factors are LensKit's; its defaults hold where there is no setting.
    """

    rating_models: tuple[RatingModelName, ...] = get_args(RatingModelName)
    """Predictors of ratings."""
    list_models: tuple[ListModelName, ...] = pydantic.Field(get_args(ListModelName), min_length=1)
    """Predictors of lists."""
    tune: bool = False
    """Select the settings in tasks/baseline/tuning.py on the validation fold. On MovieLens-100K
    that made the baselines weaker on the test fold."""
    item_damping: float = pydantic.Field(2, ge=0)
    """Ratings at the mean that damp each film's bias."""
    user_damping: float = pydantic.Field(20, ge=0)
    """Ratings at the mean that damp each user's bias."""
    iterations: int = pydantic.Field(20, ge=1)
    """Alternating passes of the bias model."""
    context_films: int = pydantic.Field(30, ge=1)
    """Newest ratings behind `context_mean` and `context_median`."""
    factors: int = pydantic.Field(50, ge=1)
    """Factors of matrix factorisation and FunkSVD."""
    regularisation: float = pydantic.Field(0.1, ge=0)
    """Regularisation of matrix factorisation."""
    neighbours: int = pydantic.Field(20, ge=1)
    """Neighbours of item-kNN."""
    funk_epochs: int = pydantic.Field(250, ge=1)
    """Epochs per factor of FunkSVD."""
    funk_regularisation: float = pydantic.Field(0.02, ge=0)
    """Regularisation of FunkSVD."""
    neighbourhood: Neighbourhood = Neighbourhood()
    list_neighbours: int = pydantic.Field(100, ge=1)
    """Neighbours of implicit item-kNN."""
    list_factors: int = pydantic.Field(32, ge=1)
    """Factors of implicit matrix factorisation."""
    list_weight: float = pydantic.Field(10, gt=0)
    """Weight of a rated film in implicit matrix factorisation."""
    ease_regularisation: float = pydantic.Field(200, gt=0)
    """L2 regularisation of EASE."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    blended: tuple[str, ...] = (
        "llm", "llm_head", "residual_trees", "bayesian_fm", "bias", "funk_svd", "item_knn",
        "item_mean", "matrix_factorisation",
    )  # fmt: skip
    """Predictors in the blend."""
    ridge: float = pydantic.Field(10, ge=0)
    """Ratings' worth of evidence for equal weights in the blend."""
    seed: int = 42
    """Seed of LensKit's random numbers."""
