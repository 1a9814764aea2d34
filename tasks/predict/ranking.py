"""Ranks what was retrieved by a mix of the retriever's and the language model's opinions.

The mix is a conditional logit (McFadden, 1974): of a user's candidates, each is chosen with a
probability that grows with a weighted sum of its scores. Its weights are those under which the
validation fold's targets were likeliest. It is used only where, told for each fifth of the
validation users from the others, it ranks better than the retriever alone.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from tasks.artifacts import Histories, Predictions, TrustedRatings
from tasks.predict.config import Rank
from tasks.predict.tables import LIST, list_table, no_ratings

Floats = NDArray[np.float64]
FEATURES = ["retrieved", "logarithm", "expected", "liked", "likelihood"]
PENALTY = 1.0  # on squared weights of standardised scores


def write_ranking(
    draft: Path,
    histories: Histories,
    ratings: TrustedRatings,
    retrieved: Predictions,
    rated: Predictions,
    weighed: Predictions,
    config: Rank,
) -> dict[str, Any]:
    """Leave the retriever's own lists and the mixed ones in the draft; return the mix."""
    table = _candidates(histories, retrieved, rated, weighed)
    validation = table.filter(fold="validation")
    chosen, alone = _cross_validated(validation, config.list_length)
    weights = _fit(validation) if chosen > alone else np.r_[1.0, np.zeros(len(FEATURES) - 1)]
    mixed = table.with_columns(score=pl.Series(_features(table) @ weights))
    titles = ratings.scan("films").select("film_id", "title").collect()
    name = retrieved.scan("lists").select("predictor").first().collect().item()
    lists = [
        list_table(_top(found, titles, config.list_length), predictor)
        for predictor, found in (
            (name, table.with_columns(score=pl.col("retrieved"))),
            (config.predictor, mixed),
        )
    ]
    pl.concat(lists).sort("predictor", "fold", "user_id", "rank").write_parquet(
        draft / "lists.parquet"
    )
    no_ratings(histories.notes["scale"]).write_parquet(draft / "ratings.parquet")
    mix = {
        "weights": dict(zip(FEATURES, weights.tolist(), strict=True)),
        "validation_ndcg": chosen,
        "validation_ndcg_of_retriever": alone,
    }
    (draft / "mix.json").write_text(json.dumps(mix, indent=1))
    return mix


def _candidates(
    histories: Histories, retrieved: Predictions, rated: Predictions, weighed: Predictions
) -> pl.DataFrame:
    """One row a candidate: its scores, standardised among its user's, and whether it was one."""
    key = ["fold", "user_id", "film_id"]
    targets = histories.scan("histories").filter(pl.col("part") == "target")
    scores = retrieved.scan("lists").select(*key, "rank", retrieved="score")
    told = rated.scan("ratings").select(*key, "mean", expected="mean", liked="p_like")
    likely = weighed.scan("lists").select(*key, likelihood="score")
    hits = targets.select(*key, hit=pl.lit(1.0))
    table = scores.join(told, on=key).join(likely, on=key).join(hits, on=key, how="left")
    table = table.with_columns(
        pl.col("hit").fill_null(0.0), logarithm=-pl.col("rank").cast(pl.Float64).log()
    ).sort("fold", "user_id", "rank")
    within = ["fold", "user_id"]
    standard = [
        ((pl.col(name) - pl.col(name).mean().over(within))
         / (pl.col(name).std().over(within) + 1e-9)).fill_null(0.0).alias(name)
        for name in FEATURES
    ]  # fmt: skip
    return table.with_columns(standard).collect()


def _features(table: pl.DataFrame) -> Floats:
    return table.select(FEATURES).to_numpy()


def _fit(table: pl.DataFrame) -> Floats:
    """The weights under which the targets among the candidates were likeliest."""
    groups = [
        (_features(some), some["hit"].to_numpy())
        for some in table.partition_by("user_id", maintain_order=True)
        if some["hit"].sum()
    ]

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = PENALTY * float(weights @ weights), 2 * PENALTY * weights
        for features, hit in groups:
            log_p = log_softmax(features @ weights)
            total -= float(hit @ log_p)
            slope = slope - features.T @ (hit - hit.sum() * np.exp(log_p))
        return total, slope

    start = np.r_[1.0, np.zeros(len(FEATURES) - 1)]
    return minimize(loss, start, jac=True, method="L-BFGS-B").x


def _cross_validated(table: pl.DataFrame, k: int) -> tuple[float, float]:
    """NDCG@k of the mix, each fifth of the users told from the others, and of the retriever."""
    users = table["user_id"].unique().sort()
    mixed, alone = [], []
    for i in range(5):
        held_out = pl.col("user_id").is_in(users.gather_every(5, i).implode())
        rest = table.filter(~held_out)
        if rest["hit"].sum() == 0:
            continue
        weights = _fit(rest)
        for some in table.filter(held_out).partition_by("user_id", maintain_order=True):
            hit = some["hit"].to_numpy()
            mixed.append(_gain(hit[np.argsort(-(_features(some) @ weights), kind="stable")], k))
            alone.append(_gain(hit, k))
    return (float(np.mean(mixed)), float(np.mean(alone))) if mixed else (0.0, 0.0)


def _gain(hits: Floats, k: int) -> float:
    """Discounted gain of the first k over that of the best order of these candidates."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.sort(hits)[::-1][:k]
    ideal = float(best @ discount[: len(best)])
    return float(hits[:k] @ discount[: len(hits[:k])]) / ideal if ideal else 0.0


def _top(table: pl.DataFrame, titles: pl.DataFrame, k: int) -> pl.DataFrame:
    """The first k of each user by score, of equals as the retriever had them."""
    within = ["fold", "user_id"]
    best = table.sort(*within, "score", "rank", descending=[False, False, True, False])
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over(within))
    best = best.filter(pl.col("rank") <= k)
    best = best.join(titles, on="film_id", how="left", maintain_order="left")
    return best.with_columns(rating="mean").select(
        pl.col(name).cast(kind) for name, kind in LIST.items()
    )
