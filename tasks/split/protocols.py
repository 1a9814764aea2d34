"""Split protocols: one tagged class each, with its settings and its behaviour.

`make_assigner` reads what it needs of all ratings once. The function it returns assigns folds to a
batch of whole users, so memory is bounded by the batch.
"""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import polars as pl
import pydantic

from tasks.split.time_order import TimeOrdered

FOLDS = pl.Enum(["train", "validation", "test", "unused"])
ROLES = pl.Enum(["context", "target"])
TRAIN, VALIDATION, TEST, UNUSED = (pl.lit(fold, FOLDS) for fold in FOLDS.categories)
CONTEXT, TARGET = (pl.lit(role, ROLES) for role in ROLES.categories)
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
FoldAssigner = Callable[[pl.DataFrame], pl.DataFrame]  # adds position, fold and role


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
    """The last ratings of every user are test targets.

    For a seeded share of the users, as many ratings before them are validation targets.
    """

    remedy: ClassVar = "lower split.n, or set split.share"
    protocol: Literal["leave-last"] = "leave-last"
    validation_users: Share = 0.2
    """Share of the users with validation targets."""

    @property
    def name(self) -> str:
        """The name in the leaderboard."""
        return f"leave-last-{self.n if self.share is None else self.share}"

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Assign by position in each history."""
        fold = (
            pl.when(self.from_end <= self.tail_length)
            .then(TEST)
            .when(
                (self.from_end <= 2 * self.tail_length)
                & (_user_uniform(self.seed) < self.validation_users)
            )
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
        fold = _fold_of_user(self.seed, self.test_users, self.validation_users)
        is_target = (fold != TRAIN) & (self.from_end <= self.tail_length)
        role = pl.when(is_target).then(TARGET).otherwise(CONTEXT)
        return lambda users: self.order_by_time(users).with_columns(fold=fold, role=role)


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
        shuffled = pl.struct("user_id", "film_id").hash(self.seed)
        used = pl.col("selected")
        fold = _fold_of_user(self.seed, self.test_users, self.validation_users)
        fold = pl.when(used).then(fold).otherwise(UNUSED)
        role = pl.when(used & (of_user < self.answers)).then(TARGET).otherwise(CONTEXT)

        def assign(users: pl.DataFrame) -> pl.DataFrame:
            best = users.sort("user_id", "film_id", descending=[False, True])
            ordered = best.with_columns(selected=selected).sort(
                "user_id", pl.col("selected").not_(), shuffled, "film_id"
            )
            # Context first: positions of targets follow those of their context.
            return (
                ordered.with_columns(fold=fold, role=role)
                .sort("user_id", pl.col("selected").not_(), "role", maintain_order=True)
                .with_columns(position=of_user)
            )

        return assign


Split = Annotated[
    LeaveLast | GlobalTime | UserHoldout | Legacy, pydantic.Field(discriminator="protocol")
]


def _user_uniform(seed: int) -> pl.Expr:
    """A uniform number in [0, 1), fixed for each user and seed."""
    return pl.col("user_id").hash(seed + 1) % 10_000 / 10_000


def _fold_of_user(seed: int, test: float, validation: float) -> pl.Expr:
    """One fold for each user, by seeded shares."""
    held = pl.when(_user_uniform(seed) < test).then(TEST)
    return held.when(_user_uniform(seed) < test + validation).then(VALIDATION).otherwise(TRAIN)


def _moment(at: float | dt.datetime) -> pl.Expr:
    if isinstance(at, dt.datetime):
        return pl.lit(at.replace(tzinfo=at.tzinfo or dt.UTC)).cast(pl.Datetime("us", "UTC"))
    time = pl.col("rated_at")
    found = time.to_physical().quantile(at, "higher").cast(pl.Int64)
    return found.cast(pl.Datetime("us", "UTC"))
