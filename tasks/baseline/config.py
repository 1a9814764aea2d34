"""Settings of the baseline room."""

from typing import Literal

import pydantic

Rated = Literal[
    "bias", "constant", "context_mean", "context_median", "funk_svd", "global_mean", "item_knn",
    "item_mean", "matrix_factorisation", "neighbourhood", "user_mean",
]  # fmt: skip
Listed = Literal["ease", "implicit_item_knn", "implicit_mf", "popularity"]


class Neighbourhood(pydantic.BaseModel, frozen=True, extra="forbid"):
    """As the prompts' guess has it by default: see tasks/features/collaborative.py."""

    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(10, ge=0)
    shrinkage: float = pydantic.Field(50, ge=0)
    noise: float = pydantic.Field(0.8, gt=0)


class Baseline(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which baselines there are, and how they are fitted.

    With `tune` those settings that tasks/baseline/tuning.py lists are chosen on the validation
    fold. On MovieLens-100K that made the rivals weaker on the test fold, so it is not the default.

    Neighbours and factors are LensKit's; what is not said here is its default. `blended` are the
    members of the blend, and `ridge` counts as so many ratings that ask for equal shares.
    """

    rated: tuple[Rated, ...] = (
        "bias", "constant", "context_mean", "context_median", "funk_svd", "global_mean",
        "item_knn", "item_mean", "matrix_factorisation", "neighbourhood", "user_mean",
    )  # fmt: skip
    listed: tuple[Listed, ...] = pydantic.Field(
        ("ease", "implicit_item_knn", "implicit_mf", "popularity"), min_length=1
    )
    tune: bool = False
    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(20, ge=0)
    sweeps: int = pydantic.Field(20, ge=1)
    context_films: int = pydantic.Field(30, ge=1)
    factors: int = pydantic.Field(50, ge=1)
    regularisation: float = pydantic.Field(0.1, ge=0)  # of matrix factorisation
    neighbours: int = pydantic.Field(20, ge=1)
    funk_epochs: int = pydantic.Field(250, ge=1)
    funk_regularisation: float = pydantic.Field(0.02, ge=0)
    neighbourhood: Neighbourhood = Neighbourhood()
    list_neighbours: int = pydantic.Field(100, ge=1)
    list_factors: int = pydantic.Field(32, ge=1)
    list_weight: float = pydantic.Field(10, gt=0)
    ease_regularisation: float = pydantic.Field(200, gt=0)
    list_length: int = pydantic.Field(10, ge=1)
    blended: tuple[str, ...] = (
        "llm", "bias", "funk_svd", "item_knn", "item_mean", "matrix_factorisation"
    )  # fmt: skip
    ridge: float = pydantic.Field(10, ge=0)
    seed: int = 42
