"""Decides which films a user liked, among those that were asked for.

The rule stands here only: metrics, rankers and reports take its columns.
"""

import polars as pl
import pydantic

EARLIER = {"validation": ["train"], "test": ["train", "validation"]}


class Liked(pydantic.BaseModel, frozen=True, extra="forbid"):
    """A film was liked from `stars` on, or from the user's own mean plus `above_own_mean` on."""

    stars: float = 4.0
    """Stars from which on every user liked a film."""
    above_own_mean: float | None = pydantic.Field(0.5, ge=0)
    """Stars above a user's mean of what was known before from which on that user liked a film;
    null: `stars` alone decide."""
    disliked: float = 2.5
    """Stars up to which a film was disliked."""


DEFAULT_RULE = Liked()


def known_to(fold: str) -> pl.Expr:
    """The ratings that a fold may use: those of earlier folds, and its own context."""
    context = (pl.col("fold") == fold) & (pl.col("role") == "context")
    return pl.col("fold").is_in(EARLIER[fold]) | context


def own_means(ratings: pl.LazyFrame, fold: str) -> pl.LazyFrame:
    """user_id and own_mean: the mean of the user's ratings that the fold knows, in stars."""
    stars = pl.col("rating").cast(pl.Float64).mean().round(9)  # sums differ in the last digits
    return ratings.filter(known_to(fold)).group_by("user_id").agg(own_mean=stars)


def judge_targets(ratings: pl.LazyFrame, fold: str, rule: Liked) -> pl.DataFrame:
    """user_id, film_id, rating, own_mean, liked, disliked of each target, by user and film.

    `ratings` are those of a split. Without known ratings own_mean is null, and `stars` decide.
    """
    least = pl.lit(rule.stars)
    if rule.above_own_mean is not None:
        least = pl.min_horizontal(least, pl.col("own_mean") + rule.above_own_mean)
    targets = ratings.filter(pl.col("fold") == fold, pl.col("role") == "target")
    judged = targets.join(own_means(ratings, fold), on="user_id", how="left").select(
        "user_id", "film_id", "rating", "own_mean",
        liked=pl.col("rating") >= least, disliked=pl.col("rating") <= rule.disliked,
    )  # fmt: skip
    return judged.sort("user_id", "film_id").collect()
