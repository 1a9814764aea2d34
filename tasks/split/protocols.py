"""How histories are split: one tagged class a protocol, settings and behaviour together."""

from typing import Annotated, Literal

import polars as pl
import pydantic

FOLDS = pl.Enum(["train", "validation", "test", "unused"])


class Ordered(pydantic.BaseModel, frozen=True, extra="forbid"):
    """What every protocol that goes by time needs: an order among equal timestamps.

    `hash` orders them by a seeded hash of the film, so that no model can learn the order of a
    file; `film` by film id, as published reference figures do.
    """

    ties: Literal["hash", "film"] = "hash"
    seed: int = 0

    def ordered(self, ratings: pl.LazyFrame) -> pl.LazyFrame:
        """The ratings by user and time, with `position` and `size` of each user's history."""
        tie = pl.col("film_id") if self.ties == "film" else pl.col("film_id").hash(self.seed)
        return ratings.sort("user_id", "rated_at", tie, "film_id").with_columns(
            position=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
            size=pl.len().cast(pl.Int32).over("user_id"),
        )


class LeaveLast(Ordered, frozen=True, extra="forbid"):
    """The last `n` ratings of every user are guessed in the test.

    For a seeded share of the users, the `n` before them are guessed in the validation.
    """

    protocol: Literal["leave-last"] = "leave-last"
    n: int = pydantic.Field(10, ge=1)
    validation_users: float = pydantic.Field(0.2, ge=0, le=1)

    @property
    def name(self) -> str:
        """As it stands in the leaderboard."""
        return f"leave-last-{self.n}"

    def mark(self, ratings: pl.LazyFrame) -> pl.LazyFrame:
        """Add position, fold and part to every rating."""
        from_end = pl.col("size") - pl.col("position")
        drawn = pl.col("user_id").hash(self.seed + 1) % 10_000 < self.validation_users * 10_000
        fold = (
            pl.when(from_end <= self.n)
            .then(pl.lit("test"))
            .when((from_end <= 2 * self.n) & drawn)
            .then(pl.lit("validation"))
            .otherwise(pl.lit("train"))
        )
        part = pl.when(fold == "train").then(pl.lit("context")).otherwise(pl.lit("target"))
        return self.ordered(ratings).with_columns(fold=fold, part=part)


class Legacy(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The original's selection: top-rated films only, in no order of time.

    Of the first `users` users with more than `over` ratings, the `top` best rated films (of
    equals the larger film id) are shuffled; the first `answers` are the answer, the rest the
    context. The original learnt from all users; here a seeded share of them is held out, so that
    something can be measured.
    """

    protocol: Literal["legacy"] = "legacy"
    users: int = pydantic.Field(1000, ge=1)
    over: int = pydantic.Field(100, ge=1)
    top: int = pydantic.Field(40, ge=2)
    answers: int = pydantic.Field(10, ge=1)
    validation_users: float = pydantic.Field(0.1, ge=0, le=1)
    test_users: float = pydantic.Field(0.2, ge=0, le=1)
    seed: int = 0

    @property
    def name(self) -> str:
        """As it stands in the leaderboard."""
        return "legacy"

    def mark(self, ratings: pl.LazyFrame) -> pl.LazyFrame:
        """Add position, fold and part to every rating; what is not selected is unused."""
        of_user = pl.int_range(pl.len(), dtype=pl.Int32).over("user_id")
        shuffled = pl.struct("user_id", "film_id").hash(self.seed)
        drawn = pl.col("user_id").hash(self.seed + 1) % 10_000 / 10_000
        many = pl.len().over("user_id") > self.over
        kept = many & (pl.col("user_id").rank("dense").over(many) <= self.users)
        ranked = ratings.sort(
            "user_id", "rating", "film_id", descending=[False, True, True]
        ).with_columns(selected=kept & (of_user < self.top))
        ordered = ranked.sort(
            "user_id", "selected", shuffled, "film_id", descending=[False, True, False, False]
        )
        chosen, answer = pl.col("selected"), of_user < self.answers
        fold = (
            pl.when(~chosen)
            .then(pl.lit("unused"))
            .when(drawn < self.test_users)
            .then(pl.lit("test"))
            .when(drawn < self.test_users + self.validation_users)
            .then(pl.lit("validation"))
            .otherwise(pl.lit("train"))
        )
        part = pl.when(chosen & answer).then(pl.lit("target")).otherwise(pl.lit("context"))
        # Context first: what is shown stands before what is asked.
        return (
            ordered.with_columns(fold=fold, part=part)
            .sort(
                "user_id", "selected", "part", maintain_order=True, descending=[False, True, False]
            )
            .with_columns(position=of_user)
        )


Split = Annotated[LeaveLast | Legacy, pydantic.Field(discriminator="protocol")]
