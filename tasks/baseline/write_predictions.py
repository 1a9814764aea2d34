"""Writes the baselines' predictions and lists in the columns that every predictor uses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import EARLIER, Codes, Entries, Floats, training_and_targets
from tasks.baseline.models import list_models, rating_models
from tasks.baseline.popularity import fill_with_popular
from tasks.baseline.tuning import tune
from tasks.progress import track
from tasks.store.artifacts import SplitRatings, ValidatedRatings


@dataclass(frozen=True)
class Data:
    """The ratings of all folds, the films in order of their code, and the ends of the scale."""

    ratings: pl.DataFrame
    films: pl.DataFrame
    codes: Codes
    ends: tuple[float, float]

    @classmethod
    def load(cls, split: SplitRatings, ratings: ValidatedRatings) -> "Data":
        """Read both tables."""
        table = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
        films = ratings.scan("films").select("film_id", "title").sort("film_id").collect()
        scale = split.metadata["scale"]
        return cls(table, films, Codes(table, films), (min(scale), max(scale)))


def write_predictions(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Baseline
) -> dict[str, Any]:
    """Write ratings.parquet (validation and test); return the metadata."""
    data = Data.load(split, ratings)
    config, tuned = tune(config, config.rating_models, data.codes, data.ratings, data.ends)
    models = rating_models(config, data.ends)
    fits = [(fold, name) for fold in EARLIER for name in models]
    rows = []
    for fold, name in track(fits, "baseline", len(fits), "fits"):
        training, targets = training_and_targets(data.ratings, fold)
        if len(targets):
            interactions = data.codes.interactions(training)
            predicted = models[name](interactions, *data.codes.pairs(targets))
            rows.append(rating_rows(name, targets, predicted.clip(*data.ends)))
    joined = pl.concat(rows).sort("predictor", "fold", "user_id", "film_id")
    joined.write_parquet(draft / "ratings.parquet")
    return _metadata(split, tuned)


def write_lists(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Baseline
) -> dict[str, Any]:
    """Write lists.parquet (test); return the metadata."""
    data = Data.load(split, ratings)
    config, tuned = tune(config, config.list_models, data.codes, data.ratings, data.ends)
    models = list_models(config)
    training, targets = training_and_targets(data.ratings, "test")
    interactions, users = data.codes.interactions(training), np.unique(data.codes.pairs(targets)[0])
    lists, k = [], config.list_length
    for name, model in track(models.items(), "baseline", len(models), "lists"):
        entries = fill_with_popular(model(interactions, users, k), interactions, users, k)
        lists.append(_list_rows(name, data, entries))
    pl.concat(lists).sort("predictor", "user_id", "rank").write_parquet(draft / "lists.parquet")
    return _metadata(split, tuned)


def _metadata(split: SplitRatings, tuned: dict[str, Any]) -> dict[str, Any]:
    of_split = {name: split.metadata[name] for name in ("dataset", "protocol", "scale")}
    return of_split | {"tuned": tuned}


def rating_rows(predictor: str, targets: pl.DataFrame, predicted: Floats) -> pl.DataFrame:
    """One row a target: the same value as mean, median and mode, without a distribution."""
    value = pl.Series("predicted", predicted, dtype=pl.Float64)
    null = pl.lit(None, pl.Float64)
    return targets.select(
        pl.lit(predictor).alias("predictor"),
        "fold",
        "user_id",
        "film_id",
        "rating",
        *[value.alias(name) for name in ("mean", "median", "mode", "within_half")],
        *[null.alias(name) for name in ("pi80_low", "pi80_high", "p_like")],
        pl.lit(None, pl.List(pl.Float32)).alias("probabilities"),
    )


def _list_rows(predictor: str, data: Data, entries: Entries) -> pl.DataFrame:
    user, rank, film, score = entries
    return pl.DataFrame(
        {
            "predictor": pl.repeat(predictor, len(user), eager=True),
            "fold": pl.repeat("test", len(user), eager=True),
            "user_id": pl.Series(data.codes.users[user], dtype=pl.Int32),
            "rank": pl.Series(rank, dtype=pl.Int32),
            "film_id": pl.Series(data.codes.films[film], dtype=pl.Int32),
            "title": data.films["title"].gather(film),
            "rating": pl.repeat(None, len(user), dtype=pl.Float64, eager=True),
            "score": score,
            "error": pl.repeat(None, len(user), dtype=pl.String, eager=True),
        }
    )
