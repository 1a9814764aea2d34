"""Ratings, predictions and lists drawn at random: large enough to compare with other libraries."""

import datetime as dt
from typing import NamedTuple

import numpy as np
import polars as pl

from tasks.executor import open_executor
from tasks.score.config import Score
from tasks.score.measure import measure
from tasks.score.sums import ScoreInputs
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings
from tests.world import START, typed

USERS, FILMS, KNOWN, TARGETS, LISTED = 60, 80, 12, 7, 10
SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]


class RandomWorld(NamedTuple):
    """`targets` with the columns of one predictor, `lists`, and what is scored."""

    targets: pl.DataFrame
    lists: pl.DataFrame
    inputs: ScoreInputs

    def measure(self, draft, store):
        """Metrics and comparisons."""
        with open_executor(1, None, store, []) as executor:
            measure(draft, self.inputs, executor)
        return [pl.read_parquet(draft / f"{name}.parquet") for name in ("metrics", "comparisons")]


def make_world(store, seed=0, resamples=2000, stars=(1, 5)) -> RandomWorld:
    """The predictors llm and bias, of which bias is the worse; true ratings within `stars`."""
    draw = np.random.default_rng(seed)
    rated = np.stack([draw.permutation(FILMS)[: KNOWN + TARGETS] for _ in range(USERS)]) + 1
    known = draw.integers(3, KNOWN + 1, USERS)  # of each user, how many are known
    places = [np.r_[:n, KNOWN : KNOWN + TARGETS] for n in known]
    table = pl.concat(
        _history(u + 1, rated[u][p], p < KNOWN, stars, draw) for u, p in enumerate(places)
    )
    targets = table.filter(fold="test").sort("user_id", "film_id")
    llm = _predict("llm", targets, 1.0, draw)
    predicted = [_predict("bias", targets, 2.0, draw), llm]
    lists = pl.concat(_lists(name, draw) for name in ("bias", "llm"))

    def write_films(draft):
        films = {"film_id": list(range(1, FILMS + 1)), "year": 2000, "title": "", "genres": "War"}
        typed(ValidatedRatings, "films", films).write_parquet(draft / "films.parquet")
        for name in ("ratings", "quarantine"):
            typed(ValidatedRatings, name, {}).write_parquet(draft / f"{name}.parquet")
        return {"dataset": "random", "scale": SCALE}

    def write_split(draft):
        rows = typed(SplitRatings, "ratings", table.to_dict(as_series=False) | {"cold": False})
        rows.write_parquet(draft / "ratings.parquet")
        return {"dataset": "random", "scale": SCALE, "protocol": "random"}

    recipe = {"seed": seed, "stars": stars}
    films = store.build(ValidatedRatings, recipe=recipe, write=write_films)
    split = store.build(SplitRatings, recipe=recipe, parents=[films], write=write_split)
    predictions = store.build(
        RatingPredictions, recipe=recipe, parents=[split],
        write=lambda draft: pl.concat(predicted).write_parquet(draft / "ratings.parquet"),
    )  # fmt: skip
    ranked = store.build(
        RankedLists, recipe=recipe, parents=[split],
        write=lambda draft: lists.write_parquet(draft / "lists.parquet"),
    )  # fmt: skip
    config = Score(ks=(LISTED,), compared=("llm",), resamples=resamples)
    return RandomWorld(llm, lists, ScoreInputs(split, films, (predictions,), (ranked,), config))


def _history(user, films, known, stars, draw):
    order = np.arange(len(films))
    return pl.DataFrame(
        {
            "user_id": user,
            "film_id": films,
            "rating": draw.integers(*stars, len(films), endpoint=True).astype(float),
            "rated_at": [START + dt.timedelta(hours=int(h)) for h in order],
            "position": order,
            "fold": np.where(known, "train", "test"),
            "role": np.where(known, "context", "target"),
        }
    )


def _predict(name, targets, noise, draw):
    scale = np.array(SCALE)
    center = targets["rating"].to_numpy() + draw.normal(0, noise, len(targets))
    logits = -((scale - center[:, None]) ** 2) / 2 + draw.normal(0, 0.3, (len(targets), 5))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p = p.astype(np.float32).astype(np.float64)  # as they are stored
    mode = scale[p.argmax(axis=1)]
    rows = targets.select("fold", "user_id", "film_id", "rating").to_dict(as_series=False)
    return typed(
        RatingPredictions,
        "ratings",
        rows
        | {
            "predictor": name,
            "mean": (p @ scale).tolist(),
            "median": scale[(p.cumsum(axis=1) < 0.5).sum(axis=1).clip(max=4)].tolist(),
            "mode": mode.tolist(),
            "within_half": mode.tolist(),
            "pi80_low": (mode - 1).tolist(),
            "pi80_high": (mode + 1).tolist(),
            "p_like": p[:, 3:].sum(axis=1).tolist(),
            "probabilities": p.tolist(),
        },
    )


def _lists(name, draw):
    films = np.concatenate([draw.permutation(FILMS)[:LISTED] + 1 for _ in range(USERS)])
    rank = np.tile(np.arange(1, LISTED + 1), USERS)
    rows = {
        "predictor": name,
        "fold": "test",
        "user_id": np.repeat(np.arange(1, USERS + 1), LISTED).tolist(),
        "rank": rank.tolist(),
        "film_id": films.tolist(),
        "title": "",
        "score": (-rank).tolist(),
    }
    return typed(RankedLists, "lists", rows)
