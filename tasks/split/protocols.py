"""Split protocols: one tagged class each, with its settings and its behaviour.

`make_assigner` reads what it needs of all ratings once. The function it returns assigns folds to a
batch of whole users, so memory is bounded by the batch.
"""

import datetime as dt
from typing import Annotated, ClassVar, Literal

import polars as pl
import pydantic

from tasks.split.folds import (
    CONTEXT,
    TARGET,
    TEST,
    TRAIN,
    VALIDATION,
    Count,
    FoldAssigner,
    Share,
    fold_of_user,
    is_sampled,
)
from tasks.split.given import GivenFolds
from tasks.split.legacy import Legacy
from tasks.split.time_order import TimeOrdered


class HoldoutTail(TimeOrdered, frozen=True, extra="forbid"):
    """The targets are the tail of a history: its last `n` ratings, or a `share` of it.

    A share is rounded down to whole ratings, but to one at least.
    """

    n: int = pydantic.Field(10, ge=1)
    """Last ratings of each user that are targets."""
    share: float | None = pydantic.Field(None, gt=0, lt=1)
    """Share of each history that is its targets, at least one rating; in place of `n`."""

    @property
    def tail_length(self) -> pl.Expr:
        """The number of targets of each user."""
        if self.share is None:
            return pl.lit(self.n)
        return (pl.col("size") * self.share).floor().cast(pl.Int32).clip(lower_bound=1)

    @property
    def from_end(self) -> pl.Expr:
        """1 for a user's last rating, 2 for the one before it."""
        return pl.col("size") - pl.col("position")


class LeaveLast(HoldoutTail, frozen=True, extra="forbid"):
    """The last ratings of every user, or of a sample of the users, are test targets.

    For a seeded share of the users, as many ratings before them are validation targets.
    """

    remedy: ClassVar = "lower split.n, or set split.share"
    protocol: Literal["leave-last"] = "leave-last"
    validation_users: Share | Count = 0.2
    """Share of the users with validation targets; from 2 on, a number of users."""
    test_users: Share | Count = pydantic.Field(1.0, exclude_if=lambda users: users == 1)
    """Share of the users with test targets; from 2 on, a number of users. The ratings of the others
    are trained on, or of a sample of them (`prior.users`). Fewer users are measured in less time,
    with wider intervals."""

    @property
    def name(self) -> str:
        """The name in the leaderboard."""
        return f"leave-last-{self.n if self.share is None else self.share}"

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Assign by position in each history."""
        tested = is_sampled(ratings, self.test_users, self.seed, "tested users")
        validated = is_sampled(ratings, self.validation_users, self.seed, "fold of a user")
        tails = self.tail_length * pl.when(tested).then(2).otherwise(1)
        fold = (
            pl.when(tested & (self.from_end <= self.tail_length))
            .then(TEST)
            .when(validated & (self.from_end <= tails))
            .then(VALIDATION)
            .otherwise(TRAIN)
        )
        role = pl.when(fold == TRAIN).then(CONTEXT).otherwise(TARGET)
        return lambda users: self.order_by_time(users).with_columns(fold=fold, role=role)


class GlobalTime(TimeOrdered, frozen=True, extra="forbid"):
    """Ratings from a moment on are targets; training ends before it.

    A moment is a date (UTC), or the share of all ratings that lies before it.
    """

    remedy: ClassVar = "move split.validation_from or split.test_from"
    protocol: Literal["global-time"] = "global-time"
    validation_from: Share | dt.datetime = 0.8
    """Moment from which ratings are validation targets: a date, or the share of all ratings before
    it."""
    test_from: Share | dt.datetime = 0.9
    """Moment from which ratings are test targets: a date, or the share of all ratings before it."""

    @property
    def name(self) -> str:
        """The name in the leaderboard."""
        at = self.test_from
        return f"global-time-{at:%Y-%m-%d}" if isinstance(at, dt.datetime) else f"global-time-{at}"

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Assign by two moments. Raises ValueError where validation begins after the test."""
        moments = (_moment(at) for at in (self.validation_from, self.test_from))
        validated, tested = ratings.select(a=next(moments), b=next(moments)).collect().row(0)
        if validated > tested:
            raise ValueError(
                f"validation would begin at {validated}, after the test at {tested}: "
                "set validation_from to an earlier moment than test_from"
            )
        time = pl.col("rated_at")
        fold = (
            pl.when(time >= tested).then(TEST).when(time >= validated).then(VALIDATION)
        ).otherwise(TRAIN)
        role = pl.when(time >= validated).then(TARGET).otherwise(CONTEXT)
        return lambda users: self.order_by_time(users).with_columns(fold=fold, role=role)


class UserHoldout(HoldoutTail, frozen=True, extra="forbid"):
    """Whole users are held out; the tails of their histories are the targets."""

    remedy: ClassVar = "change split.test_users or split.validation_users"
    protocol: Literal["user-holdout"] = "user-holdout"
    validation_users: Share = 0.1
    """Share of the users with validation targets."""
    test_users: Share = 0.1
    """Share of the users with test targets."""

    @property
    def name(self) -> str:
        """The name in the leaderboard."""
        return f"user-holdout-{self.test_users}"

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Assign by user, and by position in the history."""
        fold = fold_of_user(self.seed, self.test_users, self.validation_users)
        is_target = (fold != TRAIN) & (self.from_end <= self.tail_length)
        role = pl.when(is_target).then(TARGET).otherwise(CONTEXT)
        return lambda users: self.order_by_time(users).with_columns(fold=fold, role=role)


Split = Annotated[
    LeaveLast | GlobalTime | UserHoldout | GivenFolds | Legacy,
    pydantic.Field(discriminator="protocol"),
]


def _moment(at: float | dt.datetime) -> pl.Expr:
    if isinstance(at, dt.datetime):
        return pl.lit(at.replace(tzinfo=at.tzinfo or dt.UTC)).cast(pl.Datetime("us", "UTC"))
    time = pl.col("rated_at")
    found = time.to_physical().quantile(at, "higher").cast(pl.Int64)
    return found.cast(pl.Datetime("us", "UTC"))
