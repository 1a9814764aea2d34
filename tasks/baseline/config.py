"""Settings of the baselines."""

from typing import Literal, Self, get_args

import pydantic

from tasks.features.config import Neighbours

RatingModelName = Literal[
    "bias", "constant", "context_mean", "context_median", "funk_svd", "global_mean", "item_knn",
    "item_mean", "matrix_factorisation", "neighbourhood", "svdpp", "user_mean",
]  # fmt: skip
ListModelName = Literal[
    "ease", "implicit_als", "implicit_item_knn", "implicit_mf", "popularity", "sasrec"
]  # fmt: skip
TunedName = Literal[
    "ease", "funk_svd", "implicit_als", "implicit_item_knn", "implicit_mf", "item_knn",
    "matrix_factorisation", "sasrec", "svdpp",
]  # fmt: skip


class Neighbourhood(Neighbours, frozen=True, extra="forbid"):
    """By default as in the prompts' prior: see tasks/features/collaborative.py."""

    item_damping: float = pydantic.Field(2, ge=0)
    """Ratings at the mean that damp each film's bias."""
    user_damping: float = pydantic.Field(10, ge=0)
    """Ratings at the mean that damp each user's bias."""


class SVDPP(pydantic.BaseModel, frozen=True, extra="forbid"):
    """SVD++: see tasks/baseline/svdpp.py."""

    factors: int = pydantic.Field(20, ge=1)
    """Factors of a user and of a film."""
    epochs: int = pydantic.Field(25, ge=1)
    """Passes over the ratings."""
    learning_rate: float = pydantic.Field(0.05, gt=0)
    """Learning rate of Adagrad."""
    regularisation: float = pydantic.Field(0.15, ge=0)
    """L2 regularisation of the factors, for each rating."""
    seed: int = 0
    """Seed of first factors and of the order of users."""


class ImplicitALS(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Alternating least squares of the package implicit, on what was rated."""

    factors: int = pydantic.Field(128, ge=1)
    """Factors of a user and of a film."""
    regularisation: float = pydantic.Field(30, ge=0)
    """L2 regularisation of the factors."""
    alpha: float = pydantic.Field(5, gt=0)
    """Weight of a rated film."""
    iterations: int = pydantic.Field(15, ge=1)
    """Alternating passes."""
    seed: int = 0
    """Seed of the first factors."""


class SASRec(pydantic.BaseModel, frozen=True, extra="forbid"):
    """A small transformer over histories: see tasks/baseline/sasrec.py."""

    window: int = pydantic.Field(50, ge=1)
    """Newest films of a user that it sees."""
    hidden: int = pydantic.Field(64, ge=1)
    """Width; a multiple of `heads`."""
    heads: int = pydantic.Field(2, ge=1)
    """Attention heads."""
    layers: int = pydantic.Field(2, ge=1)
    """Blocks of attention and feed-forward network."""
    dropout: float = pydantic.Field(0.2, ge=0, lt=1)
    """Dropout of embeddings and of each block."""
    learning_rate: float = pydantic.Field(0.004, gt=0)
    """Learning rate of AdamW after a warm-up of 50 steps."""
    users_per_step: int = pydantic.Field(32, ge=1)
    """Histories in a step."""
    epochs: int = pydantic.Field(60, ge=1)
    """Passes over the users; among `tuning.models`, the most of them, and as many as make the
    validation fold's lists best."""
    patience: int = pydantic.Field(10, ge=1)
    """Epochs without better lists after which selection ends."""
    seed: int = 0
    """Seed of weights, windows and dropout."""

    @pydantic.model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"sasrec.hidden: {self.hidden} is no multiple of {self.heads} heads")
        return self


class Tuning(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Selection of the baselines' settings on the validation fold, by Optuna."""

    models: tuple[TunedName, ...] = ("ease", "implicit_als", "sasrec", "svdpp")
    """Baselines whose settings are selected; tasks/baseline/search_spaces.py has the settings."""
    trials: int = pydantic.Field(6, ge=1)
    """Fits of each. The first has the library's settings, the second those set here. Seconds are
    no budget: what they allow differs from run to run. A trial takes about as long as the fit of
    its baseline, on MovieLens-100K one to three seconds."""
    seed: int = 0
    """Seed of Optuna's sampler."""


class Baseline(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which baselines there are, and how they are fitted.

    Neighbours and factors are LensKit's; its defaults hold where there is no setting.
    """

    rating_models: tuple[RatingModelName, ...] = get_args(RatingModelName)
    """Predictors of ratings."""
    list_models: tuple[ListModelName, ...] = pydantic.Field(get_args(ListModelName), min_length=1)
    """Predictors of lists."""
    tuning: Tuning = Tuning()
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
    svdpp: SVDPP = SVDPP()
    implicit_als: ImplicitALS = ImplicitALS()
    sasrec: SASRec = SASRec()
    list_neighbours: int = pydantic.Field(100, ge=1)
    """Neighbours of implicit item-kNN."""
    list_factors: int = pydantic.Field(32, ge=1)
    """Factors of implicit matrix factorisation."""
    list_weight: float = pydantic.Field(10, gt=0)
    """Weight of a rated film in implicit matrix factorisation."""
    ease_regularisation: float = pydantic.Field(200, gt=0)
    """L2 regularisation of EASE."""
    ease_films: int | None = pydantic.Field(None, ge=1)
    """Most rated films that EASE is fitted to and lists; memory grows with their square, time with
    their cube; null: all."""
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
