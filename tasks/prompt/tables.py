"""The tables of ratings that examples are made from, whole users at a time."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from tasks.features.rating_arrays import FOLDS
from tasks.store.artifacts import RATING, SplitRatings
from tasks.user_batches import iter_user_batches

Tables = Iterable[pl.DataFrame]
KEY = ["user_id", "film_id"]
CATEGORIES = ["fold", "role"]
AFTER_HISTORY = 1_000_000  # positions of candidates follow those of every rating


def used_ratings(split: SplitRatings, users: Iterable[int] | None = None) -> Iterator[pl.DataFrame]:
    """The ratings of some fold by these users, None: by all; whole users at a time."""
    used = pl.col("fold") != "unused"
    if users is not None:  # features are of all users' ratings: without them, others are not read
        used &= pl.col("user_id").is_in(pl.Series(users, dtype=pl.Int32).implode())
    files, columns = split.files("ratings"), [*RATING, "position", *CATEGORIES]
    for table in iter_user_batches(files, columns, categorical=CATEGORIES):
        yield table.filter(used)


def with_priors(
    tables: Tables, priors: Sequence[pl.LazyFrame], scale: Sequence[float]
) -> Iterator[pl.DataFrame]:
    """Add the column `log_prior`."""
    log_prior = pl.col("log_p").list.to_array(len(scale))
    fitted = pl.concat(priors).select(*KEY, log_prior=log_prior)
    return (_add_priors(table, fitted) for table in tables)


def _add_priors(table: pl.DataFrame, fitted: pl.LazyFrame) -> pl.DataFrame:
    users = pl.col("user_id").is_between(table["user_id"].min(), table["user_id"].max())
    own = fitted.filter(users).collect().unique(KEY)  # a target may be a candidate as well
    return table.join(own, on=KEY, how="left", maintain_order="left")


def with_candidates(tables: Tables, lists: pl.DataFrame, fold: str) -> Tables:
    """Replace the fold's targets by the films of the lists, unrated, at the first target's time."""
    return (_replace_targets(table, lists, fold) for table in tables)


def _replace_targets(table: pl.DataFrame, lists: pl.DataFrame, fold: str) -> pl.DataFrame:
    earlier = FOLDS[: FOLDS.index(fold)]
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    known = table.filter(pl.col("fold").is_in([*earlier, fold]) & ~is_target)
    moment = table.filter(is_target).group_by("user_id").agg(pl.col("rated_at").min())
    unrated = lists.join(moment, on="user_id").select(
        "user_id",
        "film_id",
        pl.lit(None, pl.Float32).alias("rating"),
        "rated_at",
        # By id: an example stays the same where candidates change places.
        (AFTER_HISTORY + pl.col("film_id").rank("ordinal").over("user_id"))
        .cast(pl.Int32)
        .alias("position"),
        pl.lit(fold, pl.Categorical).alias("fold"),
        pl.lit("target", pl.Categorical).alias("role"),
    )
    return pl.concat([known, unrated]).sort("user_id", "position")
