"""Writes the baselines' predictions in the columns that every predictor uses."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.artifacts import Histories, TrustedRatings
from tasks.baseline.config import Baseline
from tasks.baseline.means import Bias, Known, global_mean, item_mean, user_mean

Ints = NDArray[np.int64]
EARLIER = {"validation": ["train"], "test": ["train", "validation"]}


def write_guesses(
    draft: Path, histories: Histories, ratings: TrustedRatings, config: Baseline
) -> dict[str, Any]:
    """Write ratings.parquet and lists.parquet; return the notes for the manifest."""
    table = histories.scan("histories").filter(pl.col("fold") != "unused").collect()
    films = ratings.scan("films").select("film_id", "title").collect()
    scale = histories.notes["scale"]
    predictors = {
        "bias": Bias(config.item_damping, config.user_damping, config.sweeps),
        "global_mean": global_mean,
        "item_mean": item_mean,
        "user_mean": user_mean,
    }
    rated, listed = [], []
    for fold, earlier in EARLIER.items():
        known, asked = _parts(table, fold, earlier)
        if not len(asked):
            continue
        codes = _Codes(table, films)
        for name, predictor in predictors.items():
            guess = predictor(codes.known(known), *codes.pairs(asked))
            rated.append(_rating_rows(name, fold, asked, guess.clip(min(scale), max(scale))))
        listed.append(_popular(known, asked, films, fold, config.list_length))
    pl.concat(rated).sort("predictor", "fold", "user_id", "film_id").write_parquet(
        draft / "ratings.parquet"
    )
    pl.concat(listed).sort("predictor", "fold", "user_id", "rank").write_parquet(
        draft / "lists.parquet"
    )
    return histories.notes


class _Codes:
    """Users and films as numbers from 0."""

    def __init__(self, table: pl.DataFrame, films: pl.DataFrame) -> None:
        self.users = table["user_id"].unique().sort().to_numpy()
        self.films = films["film_id"].sort().to_numpy()

    def pairs(self, rows: pl.DataFrame) -> tuple[Ints, Ints]:
        return (
            np.searchsorted(self.users, rows["user_id"].to_numpy()),
            np.searchsorted(self.films, rows["film_id"].to_numpy()),
        )

    def known(self, rows: pl.DataFrame) -> Known:
        rating = rows["rating"].to_numpy().astype(np.float64)
        return Known(*self.pairs(rows), rating, len(self.users), len(self.films))


def _parts(table: pl.DataFrame, fold: str, earlier: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What may be learnt from for a fold, and what is asked in it."""
    is_target = (pl.col("fold") == fold) & (pl.col("part") == "target")
    known = table.filter(pl.col("fold").is_in([*earlier, fold]) & ~is_target)
    return known, table.filter(is_target)


def _rating_rows(
    name: str, fold: str, asked: pl.DataFrame, guess: NDArray[np.float64]
) -> pl.DataFrame:
    value = pl.Series("guess", guess)
    nothing = pl.lit(None, pl.Float64)
    return asked.select(
        pl.lit(name).alias("predictor"),
        pl.lit(fold).alias("fold"),
        "user_id",
        "film_id",
        "rating",
        *[value.alias(of) for of in ("mean", "median", "mode", "within_half")],
        *[nothing.alias(of) for of in ("low", "high", "p_like")],
        pl.lit(None, pl.List(pl.Float32)).alias("probabilities"),
    )


def _popular(
    known: pl.DataFrame, asked: pl.DataFrame, films: pl.DataFrame, fold: str, k: int
) -> pl.DataFrame:
    """For each user the k films with most ratings that the user has not rated."""
    users = asked.select("user_id").unique(maintain_order=True)
    counts = known.group_by("film_id").agg(score=pl.len().cast(pl.Float64))
    seen = known.select("user_id", "film_id")
    most = int(seen.group_by("user_id").len()["len"].max() or 0) + k  # type: ignore[call-overload]
    top = counts.sort("score", "film_id", descending=[True, False]).head(most)
    lists = users.join(top, how="cross").join(seen, on=["user_id", "film_id"], how="anti")
    ranked = lists.sort("user_id", "score", "film_id", descending=[False, True, False])
    ranked = ranked.with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id")
    ).filter(pl.col("rank") <= k)
    return ranked.join(films, on="film_id", how="left", maintain_order="left").select(
        pl.lit("popularity").alias("predictor"),
        pl.lit(fold).alias("fold"),
        "user_id",
        "rank",
        "film_id",
        "title",
        pl.lit(None, pl.Float64).alias("rating"),
        "score",
        pl.lit(None, pl.String).alias("failure"),
    )
