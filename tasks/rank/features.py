"""Builds the features by which candidates are ranked, standardised within each user's list.

retrieval_score: the retriever's. recency_similarity: to the user's latest films. expected_rating
and log_likelihood: the language model's. likelihood_lift: log-likelihood above the film's mean over
the users it was retrieved for.
"""

import polars as pl

from tasks.liked import EARLIER
from tasks.rank.config import Rank
from tasks.rank.interactions import (
    compute_recency_similarity,
    select_known,
    select_most_rated,
)
from tasks.store.artifacts import Candidates, CandidateScores, RatingPredictions, SplitRatings

FEATURES = [
    "retrieval_score",
    "recency_similarity",
    "expected_rating",
    "log_likelihood",
    "likelihood_lift",
]
LIST_KEY = ["fold", "user_id"]
KEY = [*LIST_KEY, "film_id"]


def mean_likelihoods(scores: CandidateScores) -> pl.DataFrame:
    """Mean log-likelihood of each film's line over its users, by fold and film_id."""
    rows = scores.scan("scores").sort("fold", "film_id", "user_id").collect()
    by_film = rows.group_by("fold", "film_id", maintain_order=True)
    means = by_film.agg(mean_log_likelihood=pl.col("log_likelihood").mean())
    return means.with_columns(pl.col("mean_log_likelihood").round(9))


def build_features(
    split: SplitRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    scores: CandidateScores,
    likelihoods: pl.DataFrame,
    config: Rank,
) -> pl.DataFrame:
    """One row a candidate, sorted by fold, user_id, rank: FEATURES, `mean`, `hit` and `targets`.

    `mean` is the expected rating in stars, `hit` is 1 where the candidate is a target, `targets`
    counts the user's targets. `likelihoods` are those of `mean_likelihoods`.
    """
    targets = split.scan("ratings").filter(pl.col("role") == "target")
    retrieved = candidates.scan("candidates").select(*KEY, "rank", retrieval_score="score")
    expected = predictions.scan("ratings").select(*KEY, "mean", expected_rating="mean")
    likelihood = scores.scan("scores").select(*KEY, "log_likelihood")
    hits = targets.select(*KEY, hit=pl.lit(1.0))
    counts = targets.group_by(LIST_KEY).agg(targets=pl.len())
    table = retrieved.join(expected, on=KEY).join(likelihood, on=KEY)
    table = table.join(hits, on=KEY, how="left").join(counts, on=LIST_KEY)
    table = table.with_columns(pl.col("hit").fill_null(0.0))
    table = table.join(likelihoods.lazy(), on=["fold", "film_id"], how="left")
    lift = pl.col("log_likelihood") - pl.col("mean_log_likelihood")
    # A film without a mean in `likelihoods` has a lift of 0.
    table = table.sort(*LIST_KEY, "rank").with_columns(likelihood_lift=lift.fill_null(0.0))
    return _standardise(_add_recency_similarity(split, table.collect(), config))


def _add_recency_similarity(split: SplitRatings, table: pl.DataFrame, config: Rank) -> pl.DataFrame:
    rows = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
    folds = []
    for fold in sorted(EARLIER):
        candidates, known = table.filter(fold=fold), select_known(rows, fold)
        films = select_most_rated(known, config.films)
        similarity = compute_recency_similarity(known, candidates, films, config.latest)
        folds.append(candidates.with_columns(recency_similarity=similarity))
    return pl.concat(folds).sort(*LIST_KEY, "rank")


def _standardise(table: pl.DataFrame) -> pl.DataFrame:
    """Subtract the mean of the user's list and divide by its standard deviation; 0 for one film."""
    return table.with_columns(
        ((pl.col(name) - pl.col(name).mean().over(LIST_KEY))
         / (pl.col(name).std().over(LIST_KEY) + 1e-9)).fill_null(0.0)
        for name in FEATURES
    )  # fmt: skip
