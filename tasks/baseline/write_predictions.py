"""Writes the baselines' predictions and lists in the columns that every predictor uses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import EARLIER, Codes, Floats, parts
from tasks.baseline.models import list_models, rating_models
from tasks.baseline.tuning import tune
from tasks.progress import track
from tasks.store.artifacts import SplitRatings, ValidatedRatings


def write_predictions(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Baseline
) -> dict[str, Any]:
    """Write ratings.parquet (validation and test); return the metadata."""
    table, films = _tables(split, ratings)
    codes, scale = Codes(table, films), split.metadata["scale"]
    ends = min(scale), max(scale)
    tuned = tune(config, config.rating_models, codes, table, ends) if config.tune else {}
    models = rating_models(config.model_copy(update=tuned), ends)
    fits = [(fold, name) for fold in EARLIER for name in models]
    rows = []
    for fold, name in track(fits, "baseline", len(fits), "fits"):
        known, targets = parts(table, fold)
        if len(targets):
            predicted = models[name](codes.known(known), *codes.pairs(targets))
            rows.append(rating_rows(name, targets, predicted.clip(*ends)))
    joined = pl.concat(rows).sort("predictor", "fold", "user_id", "film_id")
    joined.write_parquet(draft / "ratings.parquet")
    return _about(split) | {"tuned": tuned}


def write_lists(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Baseline
) -> dict[str, Any]:
    """Write lists.parquet (test); return the metadata."""
    table, films = _tables(split, ratings)
    codes, scale = Codes(table, films), split.metadata["scale"]
    ends = min(scale), max(scale)
    tuned = tune(config, config.list_models, codes, table, ends) if config.tune else {}
    known, targets = parts(table, "test")
    lists = _lists(config.model_copy(update=tuned), codes, known, targets, films)
    pl.concat(lists).sort("predictor", "user_id", "rank").write_parquet(draft / "lists.parquet")
    return _about(split) | {"tuned": tuned}


def _tables(split: SplitRatings, ratings: ValidatedRatings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ratings in use, and the films with their titles."""
    table = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
    return table, ratings.scan("films").select("film_id", "title").collect()


def _about(split: SplitRatings) -> dict[str, Any]:
    return {name: split.metadata[name] for name in ("dataset", "protocol", "scale")}


def rating_rows(predictor: str, asked: pl.DataFrame, guess: Floats) -> pl.DataFrame:
    """One guess a row of `asked`, for every purpose alike, without a distribution."""
    value = pl.Series("guess", guess, dtype=pl.Float64)
    nothing = pl.lit(None, pl.Float64)
    return asked.select(
        pl.lit(predictor).alias("predictor"),
        "fold",
        "user_id",
        "film_id",
        "rating",
        *[value.alias(of) for of in ("mean", "median", "mode", "within_half")],
        *[nothing.alias(of) for of in ("pi80_low", "pi80_high", "p_like")],
        pl.lit(None, pl.List(pl.Float32)).alias("probabilities"),
    )


def _lists(
    config: Baseline, codes: Codes, known: pl.DataFrame, asked: pl.DataFrame, films: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    users = np.unique(codes.pairs(asked)[0])
    titles = films.sort("film_id")["title"]
    makers = list_models(config)
    for name, maker in track(makers.items(), "baseline", len(makers), "lists"):
        user, rank, film, score = maker(codes.known(known), users, config.list_length)
        yield pl.DataFrame(
            {
                "predictor": pl.repeat(name, len(user), eager=True),
                "fold": pl.repeat("test", len(user), eager=True),
                "user_id": pl.Series(codes.users[user], dtype=pl.Int32),
                "rank": pl.Series(rank, dtype=pl.Int32),
                "film_id": pl.Series(codes.films[film], dtype=pl.Int32),
                "title": titles.gather(film),
                "rating": pl.repeat(None, len(user), dtype=pl.Float64, eager=True),
                "score": score,
                "error": pl.repeat(None, len(user), dtype=pl.String, eager=True),
            }
        )
