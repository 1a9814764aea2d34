"""Folds and roles, and how a user gets one: what all protocols share."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import polars as pl
import pydantic

from tasks.seeded_hash import uniform

FOLDS = pl.Enum(["train", "validation", "test", "unused"])
ROLES = pl.Enum(["context", "target"])
TRAIN, VALIDATION, TEST, UNUSED = (pl.lit(fold, FOLDS) for fold in FOLDS.categories)
CONTEXT, TARGET = (pl.lit(role, ROLES) for role in ROLES.categories)
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Count = Annotated[int, pydantic.Field(ge=2)]
FoldAssigner = Callable[[pl.DataFrame], pl.DataFrame]  # adds position, fold and role


def user_uniform(seed: int, purpose: str = "fold of a user") -> pl.Expr:
    """A uniform number in [0, 1), fixed for each user, seed and purpose."""

    def of_rows(ids: pl.Series) -> pl.Series:
        users = ids.to_numpy()
        starts = np.flatnonzero(np.diff(users, prepend=-1))  # a history is hashed once
        numbers = uniform(seed, purpose, users[starts])
        return pl.Series(np.repeat(numbers, np.diff(starts, append=len(users))))

    return pl.col("user_id").map_batches(of_rows, return_dtype=pl.Float64)


def is_sampled(ratings: pl.LazyFrame, size: float, seed: int, purpose: str) -> pl.Expr:
    """Whether a user is in a sample: a share of all users, or so many of them.

    These are the users with the smallest numbers: where users are added, the sample takes in new
    ones only, whose ratings no earlier adapter was trained on.
    """
    number = user_uniform(seed, purpose)
    if isinstance(size, float):
        return number < size
    numbers = ratings.select(pl.col("user_id").unique()).select(number).collect().to_series()
    return number <= numbers.bottom_k(size).max()


def fold_of_user(seed: int, test: float, validation: float) -> pl.Expr:
    """One fold for each user, by seeded shares."""
    held = pl.when(user_uniform(seed) < test).then(TEST)
    return held.when(user_uniform(seed) < test + validation).then(VALIDATION).otherwise(TRAIN)
