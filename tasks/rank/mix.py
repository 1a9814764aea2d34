"""Ranks what was retrieved by a mix of the retriever's and the language model's opinions.

The mix is a conditional logit (McFadden, 1974): of a user's candidates, each is chosen with a
probability that grows with a weighted sum of its scores. Its weights, none below nought, are those
under which the validation fold's targets were likeliest. Which scores are heard is told by
cross-validation over the users of that fold: the retriever's alone, those of what people have
rated, or the language model's as well.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_softmax

from tasks.rank.config import Rank
from tasks.rank.interactions import EARLIER, known_of, most_rated, nearness
from tasks.ranked_lists import LIST, list_table, with_empty
from tasks.store.artifacts import (
    Candidates,
    CandidateScores,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    ValidatedRatings,
)

Floats = NDArray[np.float64]
# What EASE says, how near a film is to the latest seen; how much the model expects it to be liked,
# how likely it finds its line, and how much likelier than for others whom it was proposed to.
FEATURES = ["retrieved", "near", "expected", "likelihood", "own"]
HEARD = {"retriever": FEATURES[:1], "people": FEATURES[:2], "people and model": FEATURES}
PENALTY = 1.0  # on squared weights of standardised scores
MIX, USUAL = "mix.json", "usual.parquet"
KEY = ["fold", "user_id", "film_id"]
WITHIN = ["fold", "user_id"]


class User(NamedTuple):
    """One user's candidates in the retriever's order."""

    features: Floats  # [candidates, features]
    hit: Floats  # 1 where a candidate was a target
    targets: int  # candidates or not


def write_ranking(
    draft: Path,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    scores: CandidateScores,
    config: Rank,
    like: RankedLists | None = None,
) -> dict[str, Any]:
    """Leave the mixed lists in the draft; return the mix, which is that of `like` if there is one.

    A film's usual likelihood is kept beside it: it takes many users to tell.
    """
    usual = _usual(scores) if like is None else pl.read_parquet(like.path / USUAL, glob=False)
    table = _candidates(split, candidates, predictions, scores, usual, config)
    mix = _fitted(table, config) if like is None else json.loads((like.path / MIX).read_text())
    weights = np.array([mix["weights"][name] for name in FEATURES])
    mixed = table.with_columns(score=pl.Series(table.select(FEATURES).to_numpy() @ weights))
    titles = ratings.scan("films").select("film_id", "title").collect()
    asked = candidates.scan("candidates").select(WITHIN).collect()
    lists = with_empty(_top(mixed, titles, config.list_length), asked)
    list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    (draft / MIX).write_text(json.dumps(mix, indent=1))
    usual.write_parquet(draft / USUAL)
    return mix


def _fitted(table: pl.DataFrame, config: Rank) -> dict[str, Any]:
    """Which scores are heard, and how much, as the validation fold's users tell."""
    users = _users(table.filter(fold="validation"))
    gains = {name: _cross_validated(users, heard, config) for name, heard in HEARD.items()}
    heard = max(gains, key=lambda name: gains[name])  # of equals the simplest
    weights = _fit(users, HEARD[heard]).tolist()
    told = dict(zip(FEATURES, weights, strict=True))
    return {"heard": heard, "weights": told, "validation_ndcg": gains}


def _usual(scores: CandidateScores) -> pl.DataFrame:
    """How likely the model finds a film's line for those whom it was proposed to, by fold."""
    rows = scores.scan("scores").sort("fold", "film_id", "user_id").collect()
    by_film = rows.group_by("fold", "film_id", maintain_order=True)
    found = by_film.agg(usual=pl.col("log_likelihood").mean())
    return found.with_columns(pl.col("usual").round(9))


def _candidates(
    split: SplitRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    scores: CandidateScores,
    usual: pl.DataFrame,
    config: Rank,
) -> pl.DataFrame:
    """One row a candidate: its scores, standardised among its user's, and whether it was one."""
    targets = split.scan("ratings").filter(pl.col("role") == "target")
    retrieved = candidates.scan("candidates").select(*KEY, "rank", retrieved="score")
    told = predictions.scan("ratings").select(*KEY, "mean", expected="mean")
    likely = scores.scan("scores").select(*KEY, likelihood="log_likelihood")
    hits = targets.select(*KEY, hit=pl.lit(1.0))
    asked = targets.group_by(WITHIN).agg(targets=pl.len())
    table = retrieved.join(told, on=KEY).join(likely, on=KEY).join(hits, on=KEY, how="left")
    table = table.join(asked, on=WITHIN).with_columns(pl.col("hit").fill_null(0.0))
    table = table.join(usual.lazy(), on=["fold", "film_id"], how="left")
    table = table.sort("fold", "user_id", "rank")
    own = pl.col("likelihood") - pl.col("usual")
    table = table.with_columns(own=own.fill_null(0.0))  # nothing is known to be usual
    near = _near(split, table.collect(), config)
    standard = [
        ((pl.col(name) - pl.col(name).mean().over(WITHIN))
         / (pl.col(name).std().over(WITHIN) + 1e-9)).fill_null(0.0).alias(name)
        for name in FEATURES
    ]  # fmt: skip
    return near.with_columns(standard)


def _near(split: SplitRatings, table: pl.DataFrame, config: Rank) -> pl.DataFrame:
    """The candidates, each with its nearness to the user's latest films."""
    rows = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
    some = []
    for fold in sorted(EARLIER):
        asked, known = table.filter(fold=fold), known_of(rows, fold)
        films = most_rated(known, config.films)
        some.append(asked.with_columns(near=nearness(known, asked, films, config.latest)))
    return pl.concat(some).sort("fold", "user_id", "rank")


def _users(table: pl.DataFrame) -> list[User]:
    return [
        User(some.select(FEATURES).to_numpy(), some["hit"].to_numpy(), some["targets"][0])
        for some in table.partition_by("user_id", maintain_order=True)
    ]


def _fit(users: Sequence[User], heard: Sequence[str]) -> Floats:
    """The weights under which the targets among the candidates were likeliest."""
    from scipy.optimize import minimize  # 0.2 s that who only reads need not wait

    start = np.array([float(name == "retrieved") for name in FEATURES])
    if len(heard) == 1:
        return start
    hits = [(user.features, user.hit) for user in users if user.hit.any()]

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = PENALTY * float(weights @ weights), 2 * PENALTY * weights
        for features, hit in hits:
            log_p = log_softmax(features @ weights)
            total -= float(hit @ log_p)
            slope = slope - features.T @ (hit - hit.sum() * np.exp(log_p))
        return total, slope

    bounds = [(0.0, None if name in heard else 0.0) for name in FEATURES]
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def _cross_validated(users: Sequence[User], heard: Sequence[str], config: Rank) -> float:
    """NDCG of the first of a list, each fifth of the users told from the others."""
    gains = []
    for fifth in range(5):
        weights = _fit([user for i, user in enumerate(users) if i % 5 != fifth], heard)
        for user in users[fifth::5]:
            order = np.argsort(-(user.features @ weights), kind="stable")
            gains.append(_gain(user.hit[order], user.targets, config.list_length))
    return float(np.mean(gains)) if gains else 0.0


def _gain(hits: Floats, targets: int, k: int) -> float:
    """Discounted gain of the first k over that of a list that begins with all targets."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float(hits[:k] @ discount[: len(hits[:k])] / discount[:targets].sum())


def _top(table: pl.DataFrame, titles: pl.DataFrame, k: int) -> pl.DataFrame:
    """The first k of each user by score, of equals as the retriever had them."""
    best = table.sort(*WITHIN, "score", "rank", descending=[False, False, True, False])
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over(WITHIN))
    best = best.filter(pl.col("rank") <= k)
    best = best.join(titles, on="film_id", how="left", maintain_order="left")
    return best.with_columns(rating="mean").select(
        pl.col(name).cast(kind) for name, kind in LIST.items()
    )
