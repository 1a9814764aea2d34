"""The split of the original recipe."""

from typing import ClassVar, Literal

import polars as pl
import pydantic

from tasks.seeded_hash import hash_integers
from tasks.split.folds import CONTEXT, TARGET, UNUSED, FoldAssigner, Share, fold_of_user


class Legacy(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The original's selection: each user's best rated films, in random order.

    Takes the first `users` users with more than `over` ratings. Of each, the `top` best rated
    films (ties: the larger film id) are shuffled; the first `answers` are targets, the rest is
    context. The original trained on all users; here a seeded share is held out for evaluation.
    """

    remedy: ClassVar = "lower split.over, or change split.test_users"
    protocol: Literal["legacy"] = "legacy"
    users: int = pydantic.Field(1000, ge=1)
    """Number of users, the first that have enough ratings."""
    over: int = pydantic.Field(100, ge=1)
    """A user needs more ratings than this."""
    top: int = pydantic.Field(40, ge=2)
    """Best rated films of each user that are used."""
    answers: int = pydantic.Field(10, ge=1)
    """How many of them are targets; the rest is context."""
    validation_users: Share = 0.1
    """Share of the users with validation targets."""
    test_users: Share = 0.2
    """Share of the users with test targets."""
    seed: int = 0
    """Seed of the shuffle and the choice of users."""

    @property
    def name(self) -> str:
        """The name in the leaderboard."""
        return "legacy"

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Assign the selected films of the selected users; all other ratings are unused."""
        sizes = ratings.group_by("user_id").len().filter(pl.col("len") > self.over)
        chosen = sizes.collect()["user_id"].sort().head(self.users).implode()
        of_user = pl.int_range(pl.len(), dtype=pl.Int32).over("user_id")
        by_stars = pl.col("rating").rank("ordinal", descending=True).over("user_id")
        selected = pl.col("user_id").is_in(chosen) & (by_stars <= self.top)
        used = pl.col("selected")
        fold = fold_of_user(self.seed, self.test_users, self.validation_users)
        fold = pl.when(used).then(fold).otherwise(UNUSED)
        role = pl.when(used & (of_user < self.answers)).then(TARGET).otherwise(CONTEXT)

        def assign(users: pl.DataFrame) -> pl.DataFrame:
            best = users.sort("user_id", "film_id", descending=[False, True])
            keys = (best[name].to_numpy() for name in ("user_id", "film_id"))
            shuffled = pl.Series(hash_integers(self.seed, "order of best films", *keys))
            ordered = best.with_columns(selected=selected, shuffled=shuffled).sort(
                "user_id", pl.col("selected").not_(), "shuffled", "film_id"
            )
            # Context first: positions of targets follow those of their context.
            return (
                ordered.with_columns(fold=fold, role=role)
                .sort("user_id", pl.col("selected").not_(), "role", maintain_order=True)
                .with_columns(position=of_user)
            )

        return assign
