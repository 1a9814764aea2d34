"""Writes the baselines' predictions and lists in the columns that every predictor uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import EARLIER, Codes, Entries, Floats, training_and_targets
from tasks.baseline.models import RatingModel, list_models, rating_models
from tasks.baseline.popularity import fill_with_popular
from tasks.baseline.tuning import tune
from tasks.progress import track
from tasks.store.artifacts import SplitRatings, ValidatedRatings


@dataclass(frozen=True)
class Data:
    """The ratings of all folds, the films in order of their code, and the ends of the scale."""

    ratings: pl.LazyFrame
    films: pl.DataFrame
    codes: Codes
    ends: tuple[float, float]

    @classmethod
    def load(cls, split: SplitRatings, ratings: ValidatedRatings) -> "Data":
        """Read users and films; ratings stay on disk until a fold is asked for."""
        table = split.scan("ratings").filter(pl.col("fold") != "unused")
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
    fits = (rows for fold in EARLIER for rows in _predict_fold(data, fold, models))
    tables = list(track(fits, "baseline", len(EARLIER) * len(models), "fits"))
    joined = pl.concat(tables).sort("predictor", "fold", "user_id", "film_id")
    joined.write_parquet(draft / "ratings.parquet")
    return _metadata(split, tuned)


def _predict_fold(
    data: Data, fold: str, models: Mapping[str, RatingModel]
) -> Iterator[pl.DataFrame]:
    training, targets = training_and_targets(data.ratings, data.codes, fold)
    if targets.is_empty():
        return
    pairs = data.codes.pairs(targets)
    for name, model in models.items():
        yield rating_rows(name, targets, model(training, *pairs).clip(*data.ends))


def write_lists(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Baseline
) -> dict[str, Any]:
    """Write lists.parquet (test); return the metadata."""
    data = Data.load(split, ratings)
    config, tuned = tune(config, config.list_models, data.codes, data.ratings, data.ends)
    models = list_models(config)
    training, targets = training_and_targets(data.ratings, data.codes, "test")
    users, lists, k = np.unique(data.codes.pairs(targets)[0]), [], config.list_length
    for name, model in track(models.items(), "baseline", len(models), "lists"):
        entries = fill_with_popular(model(training, users, k), training, users, k)
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
