"""How histories are split: one tagged class a protocol, settings and behaviour together.

A protocol looks once at all ratings (`marker`); what it returns marks some whole users at a time,
so that no step holds more of the data than a few users.
"""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Literal

import polars as pl
import pydantic

from tasks.split.time_order import Ordered

FOLDS = pl.Enum(["train", "validation", "test", "unused"])
PARTS = pl.Enum(["context", "target"])
TRAIN, VALIDATION, TEST, UNUSED = (pl.lit(fold, FOLDS) for fold in FOLDS.categories)
CONTEXT, TARGET = (pl.lit(part, PARTS) for part in PARTS.categories)
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Marker = Callable[[pl.DataFrame], pl.DataFrame]  # adds position, fold and part to whole users


class HoldsEnds(Ordered, frozen=True, extra="forbid"):
    """The end of a history is guessed: its last `n` ratings, or a `share` of it in place of them.

    A share is rounded down, and one rating at least.
    """

    n: int = pydantic.Field(10, ge=1)
    """Last ratings of each user that are targets."""
    share: float | None = pydantic.Field(None, gt=0, lt=1)
    """Share of each history that is its targets, at least one rating; in place of `n`."""

    @property
    def end(self) -> pl.Expr:
        """How many ratings of each user are guessed."""
        if self.share is None:
            return pl.lit(self.n)
        return (pl.col("size") * self.share).floor().cast(pl.Int32).clip(lower_bound=1)

    @property
    def from_end(self) -> pl.Expr:
        """1 for the last rating of a user."""
        return pl.col("size") - pl.col("position")


class LeaveLast(HoldsEnds, frozen=True, extra="forbid"):
    """The last ratings of every user are guessed in the test.

    For a seeded share of the users, as many before them are guessed in the validation.
    """

    protocol: Literal["leave-last"] = "leave-last"
    validation_users: Share = 0.2
    """Share of the users with validation targets."""

    @property
    def name(self) -> str:
        """As it stands in the leaderboard."""
        return f"leave-last-{self.n if self.share is None else self.share}"

    def marker(self, ratings: pl.LazyFrame) -> Marker:
        """Marks by the place in each history."""
        fold = (
            pl.when(self.from_end <= self.end)
            .then(TEST)
            .when((self.from_end <= 2 * self.end) & (_drawn(self.seed) < self.validation_users))
            .then(VALIDATION)
            .otherwise(TRAIN)
        )
        role = pl.when(fold == TRAIN).then(CONTEXT).otherwise(TARGET)
        return lambda users: self.ordered(users).with_columns(fold=fold, role=role)


class GlobalTime(Ordered, frozen=True, extra="forbid"):
    """What was rated from a moment on is guessed, and nothing that came after it is learnt from.

    Each moment is a date (UTC), or the share of all ratings that lies before it.
    """

    protocol: Literal["global-time"] = "global-time"
    validation_from: Share | dt.datetime = 0.8
    """Moment from which ratings are validation targets: a date, or the share of all ratings before
    it."""
    test_from: Share | dt.datetime = 0.9
    """Moment from which ratings are test targets: a date, or the share of all ratings before it."""

    @property
    def name(self) -> str:
        """As it stands in the leaderboard."""
        at = self.test_from
        return f"global-time-{at:%Y-%m-%d}" if isinstance(at, dt.datetime) else f"global-time-{at}"

    def marker(self, ratings: pl.LazyFrame) -> Marker:
        """Marks by two moments of time. Raises ValueError where validation is not the earlier."""
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
        return lambda users: self.ordered(users).with_columns(fold=fold, role=role)


class UserHoldout(HoldsEnds, frozen=True, extra="forbid"):
    """Whole users are kept from training; the end of their histories is guessed from the rest."""

    protocol: Literal["user-holdout"] = "user-holdout"
    validation_users: Share = 0.1
    """Share of the users with validation targets."""
    test_users: Share = 0.1
    """Share of the users with test targets."""

    @property
    def name(self) -> str:
        """As it stands in the leaderboard."""
        return f"user-holdout-{self.test_users}"

    def marker(self, ratings: pl.LazyFrame) -> Marker:
        """Marks by who rated, and by the place in the history."""
        fold = _fold_of_user(self.seed, self.test_users, self.validation_users)
        asked = (fold != TRAIN) & (self.from_end <= self.end)
        role = pl.when(asked).then(TARGET).otherwise(CONTEXT)
        return lambda users: self.ordered(users).with_columns(fold=fold, role=role)


class Legacy(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The original's selection: top-rated films only, in no order of time.

    Of the first `users` users with more than `over` ratings, the `top` best rated films (of
    equals the larger film id) are shuffled; the first `answers` are the answer, the rest the
    context. The original learnt from all users; here a seeded share of them is held out, so that
    something can be measured.
    """

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
        """As it stands in the leaderboard."""
        return "legacy"

    def marker(self, ratings: pl.LazyFrame) -> Marker:
        """Marks the users with many ratings; what is not selected is unused."""
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

        def mark(users: pl.DataFrame) -> pl.DataFrame:
            best = users.sort("user_id", "film_id", descending=[False, True])
            drawn = best.with_columns(selected=selected).sort(
                "user_id", pl.col("selected").not_(), shuffled, "film_id"
            )
            # Context first: what is shown stands before what is asked.
            return (
                drawn.with_columns(fold=fold, role=role)
                .sort("user_id", pl.col("selected").not_(), "role", maintain_order=True)
                .with_columns(position=of_user)
            )

        return mark


Split = Annotated[
    LeaveLast | GlobalTime | UserHoldout | Legacy, pydantic.Field(discriminator="protocol")
]


def _drawn(seed: int) -> pl.Expr:
    """A number in [0, 1) that each user keeps."""
    return pl.col("user_id").hash(seed + 1) % 10_000 / 10_000


def _fold_of_user(seed: int, test: float, validation: float) -> pl.Expr:
    """All ratings of a user in one fold, by seeded shares."""
    held = pl.when(_drawn(seed) < test).then(TEST)
    return held.when(_drawn(seed) < test + validation).then(VALIDATION).otherwise(TRAIN)


def _moment(at: float | dt.datetime) -> pl.Expr:
    if isinstance(at, dt.datetime):
        return pl.lit(at.replace(tzinfo=at.tzinfo or dt.UTC)).cast(pl.Datetime("us", "UTC"))
    time = pl.col("rated_at")
    found = time.to_physical().quantile(at, "higher").cast(pl.Int64)
    return found.cast(pl.Datetime("us", "UTC"))
