"""Builds the features by which candidates are ranked, standardised within each user's list.

retrieval_score: the retriever's. recency_similarity: to the user's latest films. recent_popularity:
ratings of the film in the days before the user's first target. expected_rating: the prior's where
one was fitted, else the language model's. llm_rating and log_likelihood: the language model's.
likelihood_lift: log-likelihood above the film's mean over the users it was retrieved for.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from tasks.liked import EARLIER, Liked, judge_targets, own_means
from tasks.rank.config import OF_LIKELIHOOD, Rank
from tasks.rank.interactions import (
    compute_recency_similarity,
    count_recent_ratings,
    select_known,
    select_most_rated,
)
from tasks.store.artifacts import (
    Candidates,
    RatingPredictions,
    RatingPriors,
    Readings,
    SplitRatings,
)

FEATURES = [
    "retrieval_score",
    "recency_similarity",
    "recent_popularity",
    "expected_rating",
    "llm_rating",
    *OF_LIKELIHOOD,
]
OF_LLM = FEATURES[4:]
LIST_KEY = ["fold", "user_id"]
KEY = [*LIST_KEY, "film_id"]


def mean_likelihoods(readings: Readings) -> pl.DataFrame:
    """Mean log-likelihood of each candidate's line over its users, by fold and film_id."""
    rows = _likelihoods(readings).sort("fold", "film_id", "user_id").collect()
    by_film = rows.group_by("fold", "film_id", maintain_order=True)
    means = by_film.agg(mean_log_likelihood=pl.col("log_likelihood").mean())
    return means.with_columns(pl.col("mean_log_likelihood").round(9))


def _likelihoods(readings: Readings) -> pl.LazyFrame:
    return readings.scan("readings").filter(role="candidate").select(*KEY, "log_likelihood")


class Inputs(NamedTuple):
    """What is known of the candidates: `priors` where a prior was fitted."""

    split: SplitRatings
    candidates: Candidates
    predictions: RatingPredictions
    readings: Readings
    priors: RatingPriors | None = None


def build_features(inputs: Inputs, likelihoods: pl.DataFrame, config: Rank) -> pl.DataFrame:
    """One row a candidate, sorted by fold, user_id, rank: FEATURES, `mean` and `below`.

    `mean` is the expected rating in stars, `below` whether it lies too far below the user's own
    mean of what the fold knows. `likelihoods` are those of `mean_likelihoods`.
    """
    retrieved = inputs.candidates.scan("candidates").filter(pl.col("film_id").is_not_null())
    retrieved = retrieved.select(*KEY, "rank", retrieval_score="score")
    rated = inputs.predictions.scan("ratings").select(*KEY, llm_rating="mean")
    table = retrieved.join(rated, on=KEY)
    if not inputs.readings.has_likelihoods:  # they are of weight 0
        table = table.with_columns(pl.lit(0.0).alias(name) for name in OF_LIKELIHOOD)
    else:
        table = table.join(_likelihoods(inputs.readings), on=KEY)
        table = table.join(likelihoods.lazy(), on=["fold", "film_id"], how="left")
        lift = pl.col("log_likelihood") - pl.col("mean_log_likelihood")
        # A film without a mean in `likelihoods` has a lift of 0.
        table = table.with_columns(likelihood_lift=lift.fill_null(0.0))
    expected = _add_expected_rating(table.sort(*LIST_KEY, "rank").collect(), inputs, config)
    return _standardise(_add_interactions(inputs.split, expected, config))


def mark_hits(table: pl.DataFrame, split: SplitRatings, fold: str, rule: Liked) -> pl.DataFrame:
    """A fold's rows of `build_features` with `hit`, 1 where the user liked the film, and `liked`,
    how many of the fold's targets the user liked, retrieved or not.
    """
    targets = judge_targets(split.scan("ratings"), fold, rule).filter("liked")
    hits = targets.select("user_id", "film_id", hit=pl.lit(1.0))
    counts = targets.group_by("user_id").agg(liked=pl.len())
    table = table.filter(fold=fold).join(
        hits, on=["user_id", "film_id"], how="left", maintain_order="left"
    )
    table = table.join(counts, on="user_id", how="left", maintain_order="left")
    return table.with_columns(pl.col("hit").fill_null(0.0), pl.col("liked").fill_null(0))


def _add_expected_rating(table: pl.DataFrame, inputs: Inputs, config: Rank) -> pl.DataFrame:
    """Add `mean` and `below`; a user without known ratings has no own mean to lie below."""
    if inputs.priors is None:
        table = table.with_columns(mean="llm_rating")
    else:
        scale = np.asarray(inputs.priors.metadata["scale"])
        priors = inputs.priors.scan("priors").select(*KEY, "log_p").collect()
        table = table.join(priors, on=KEY, how="left", maintain_order="left")
        p = np.exp(table["log_p"].list.to_array(len(scale)).to_numpy())
        table = table.drop("log_p").with_columns(mean=pl.Series(p @ scale, dtype=pl.Float64))
    ratings = inputs.split.scan("ratings")
    means = [
        own_means(ratings, fold).with_columns(fold=pl.lit(fold, table["fold"].dtype))
        for fold in EARLIER
    ]
    table = table.join(pl.concat(means).collect(), on=LIST_KEY, how="left", maintain_order="left")
    least = pl.col("own_mean") - pl.lit(
        config.below_own_mean, pl.Float64
    )  # null: there is no such rule
    below = pl.col("mean").round(9) < least.round(9)
    return table.with_columns(expected_rating="mean", below=below.fill_null(False))


def _add_interactions(split: SplitRatings, table: pl.DataFrame, config: Rank) -> pl.DataFrame:
    ratings = split.scan("ratings")
    targets = ratings.filter(pl.col("role") == "target", pl.col("fold").is_in(list(EARLIER)))
    moments = targets.group_by(LIST_KEY).agg(moment=pl.col("rated_at").min()).collect()
    table, folds = table.join(moments, on=LIST_KEY, how="left", maintain_order="left"), []
    for fold in sorted(EARLIER):
        known = select_known(ratings, fold, "user_id", "film_id", "rated_at", "position")
        candidates = table.filter(fold=fold)
        films = select_most_rated(known, config.films)
        similarity = compute_recency_similarity(known, candidates, films, config.latest)
        recent = count_recent_ratings(known, candidates, films, config.recent_days)
        folds.append(
            candidates.with_columns(recency_similarity=similarity, recent_popularity=recent)
        )
    return pl.concat(folds).drop("moment").sort(*LIST_KEY, "rank")


def _standardise(table: pl.DataFrame) -> pl.DataFrame:
    """Subtract the mean of the user's list and divide by its standard deviation; 0 for one film."""
    return table.with_columns(
        ((pl.col(name) - pl.col(name).mean().over(LIST_KEY))
         / (pl.col(name).std().over(LIST_KEY) + 1e-9)).fill_null(0.0)
        for name in FEATURES
    )  # fmt: skip
