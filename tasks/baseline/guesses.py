"""Writes the baselines' predictions in the columns that every predictor uses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.artifacts import Histories, TrustedRatings
from tasks.baseline.catalogue import listed, rated
from tasks.baseline.config import Baseline
from tasks.baseline.known import EARLIER, Codes, Floats, parts
from tasks.baseline.tuning import tuned
from tasks.progress import track


def write_guesses(
    draft: Path, histories: Histories, ratings: TrustedRatings, config: Baseline
) -> dict[str, Any]:
    """Write ratings.parquet (validation and test) and lists.parquet (test); return the notes."""
    table = histories.scan("histories").filter(pl.col("fold") != "unused").collect()
    films = ratings.scan("films").select("film_id", "title").collect()
    codes = Codes(table, films)
    scale = histories.notes["scale"]
    ends = min(scale), max(scale)
    chosen = tuned(config, codes, table, ends) if config.tune else {}
    config = config.model_copy(update=chosen)
    names = rated(config, ends)
    told = []
    for fold, name in track(
        [(f, n) for f in EARLIER for n in names], "baseline", 2 * len(names), "fits"
    ):
        known, asked = parts(table, fold)
        if len(asked):
            guess = names[name](codes.known(known), *codes.pairs(asked))
            told.append(rating_rows(name, asked, guess.clip(*ends)))
    sorted_ = pl.concat(told).sort("predictor", "fold", "user_id", "film_id")
    sorted_.write_parquet(draft / "ratings.parquet")
    known, asked = parts(table, "test")
    made = _lists(config, codes, known, asked, films)
    pl.concat(made).sort("predictor", "user_id", "rank").write_parquet(draft / "lists.parquet")
    about = {name: histories.notes[name] for name in ("dataset", "protocol", "scale")}
    return about | {"tuned": chosen}


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
        *[nothing.alias(of) for of in ("low", "high", "p_like")],
        pl.lit(None, pl.List(pl.Float32)).alias("probabilities"),
    )


def _lists(
    config: Baseline, codes: Codes, known: pl.DataFrame, asked: pl.DataFrame, films: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    users = np.unique(codes.pairs(asked)[0])
    titles = films.sort("film_id")["title"]
    makers = listed(config)
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
                "failure": pl.repeat(None, len(user), dtype=pl.String, eager=True),
            }
        )
