"""Proposes films by what others have rated beside: EASE, a linear model with one closed form."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.eligibility import news_for
from tasks.rank.config import Retrieve
from tasks.rank.interactions import EARLIER, USERS, known_of, matrix, most_rated, together
from tasks.store.artifacts import SplitRatings

Floats = NDArray[np.float64]
CANDIDATE = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("rank", pl.Int32),
        ("film_id", pl.Int32),
        ("score", pl.Float64),
    ]
)


def write_candidates(draft: Path, split: SplitRatings, config: Retrieve) -> None:
    """Write candidates.parquet: the best films for every user of both later folds."""
    table = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
    lists = pl.concat([_of_fold(table, fold, config) for fold in EARLIER])
    asked = table.filter(pl.col("role") == "target", pl.col("fold").is_in(list(EARLIER)))
    users = asked.select("fold", "user_id").unique()
    lists = users.join(lists, on=["fold", "user_id"], how="left")
    lists = lists.with_columns(pl.col("rank").fill_null(1)).select(*CANDIDATE)
    lists.sort("fold", "user_id", "rank").write_parquet(draft / "candidates.parquet")


def ease(counts: Floats, regularisation: float) -> Floats:
    """Weights [films, films] from how many have rated both; the diagonal is nought.

    Steck, 2019, Embarrassingly Shallow Autoencoders for Sparse Data, arXiv 1905.03375, eq. 8.
    """
    inverse = np.linalg.inv(counts + regularisation * np.eye(len(counts)))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _of_fold(table: pl.DataFrame, fold: str, config: Retrieve) -> pl.DataFrame:
    """One row a candidate, learnt from the folds before and what the fold itself shows."""
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    users = table.filter(is_target)["user_id"].unique().sort()
    if users.is_empty():
        return CANDIDATE.to_frame()
    known = known_of(table, fold)
    films = most_rated(known, config.films)
    weights = ease(together(known, films), config.regularisation)
    parts = [
        _best(table, users[i : i + USERS], known, films, weights, fold, config.candidates)
        for i in range(0, len(users), USERS)
    ]
    return pl.concat(parts)


def _best(
    table: pl.DataFrame,
    users: pl.Series,
    known: pl.DataFrame,
    films: pl.DataFrame,
    weights: Floats,
    fold: str,
    most: int,
) -> pl.DataFrame:
    """For these users the films of highest score among those that they may be told of."""
    news = news_for(users.to_numpy(), fold, table.lazy(), films)
    raw = matrix(known, users, films) @ weights
    scores: Floats = np.where(news, np.round(raw, 9), -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    kept = np.take_along_axis(news, order, axis=1)
    row, rank = np.nonzero(kept)
    film = order[row, rank]
    return pl.DataFrame(
        {
            "fold": [fold] * len(row),
            "user_id": users.to_numpy()[row],
            "rank": rank + 1,
            "film_id": films["film_id"].to_numpy()[film],
            "score": scores[row, film],
        },
        CANDIDATE,
    )
