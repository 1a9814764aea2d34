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


Split = Annotated[LeaveLast, pydantic.Field(discriminator="protocol")]
