"""Folds that somebody else has assigned, such as those of a published comparison."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
import pydantic

from tasks.split.folds import CONTEXT, FOLDS, TARGET, FoldAssigner
from tasks.split.time_order import TimeOrdered
from tasks.store.checksum import hash_file

KEY = ["user_id", "film_id"]


class GivenFolds(TimeOrdered, frozen=True, extra="forbid"):
    """A file names the fold of every rating; those of validation and test are targets."""

    remedy: ClassVar = "name other ratings in the file split.folds"
    protocol: Literal["given"] = "given"
    folds: Path = pydantic.Field(Path("folds.parquet"))
    """Parquet file with the columns user_id, film_id and fold: train, validation, test or
    unused."""

    @property
    def name(self) -> str:
        """The name in the leaderboard: other folds have another."""
        return f"given-{self._hash()[:8]}"

    @property
    def recipe(self) -> dict[str, Any]:
        """What the fingerprint depends on: the folds, wherever their file lies."""
        return self.model_dump(mode="json", exclude={"folds"}) | {"folds": self._hash()}

    def make_assigner(self, ratings: pl.LazyFrame) -> FoldAssigner:
        """Join the file.

        Raises ValueError where it lacks a rating, names one twice or a fold that is none, or puts a
        rating of a user into an earlier fold than an older one.
        """
        given = pl.read_parquet(self.folds, columns=[*KEY, "fold"], glob=False)
        if unknown := set(given["fold"].unique()) - set(FOLDS.categories):
            raise ValueError(
                f"{self.folds.name}: no fold {unknown.pop()!r}: there are "
                f"{', '.join(FOLDS.categories)}"
            )
        given = given.cast({"user_id": pl.Int32, "film_id": pl.Int32, "fold": FOLDS})
        if len(twice := given.filter(given.select(KEY).is_duplicated())):
            user, film, _ = twice.row(0)
            raise ValueError(f"{self.folds.name} names film {film} of user {user} twice: keep one")

        def assign(users: pl.DataFrame) -> pl.DataFrame:
            joined = self.order_by_time(users).join(given, on=KEY, how="left", validate="1:1")
            if len(lost := joined.filter(pl.col("fold").is_null())):
                raise ValueError(
                    f"{self.folds.name} lacks {len(lost)} ratings, such as that of film "
                    f"{lost['film_id'][0]} by user {lost['user_id'][0]}: name a fold for each"
                )
            ordered = joined.sort("user_id", "rated_at", pl.col("fold").to_physical(), "position")
            self._check_order(ordered)
            place = pl.int_range(pl.len(), dtype=pl.Int32).over("user_id")
            role = pl.when(pl.col("fold").is_in(["train", "unused"])).then(CONTEXT)
            return ordered.with_columns(position=place, role=role.otherwise(TARGET))

        return assign

    def _check_order(self, ordered: pl.DataFrame) -> None:
        used = ordered.filter(pl.col("fold") != "unused")
        fold = pl.col("fold").to_physical()
        earlier = used.filter((fold < fold.shift(1)).over("user_id"))
        if len(earlier):
            raise ValueError(
                f"{self.folds.name}: user {earlier['user_id'][0]} has ratings of fold "
                f"{earlier['fold'][0]} that are younger than those of a later fold: a model would "
                "learn from what came after"
            )

    def _hash(self) -> str:
        if not self.folds.is_file():
            raise ValueError(f"no file of folds {self.folds}: set split.folds to one")
        return hash_file(self.folds)
