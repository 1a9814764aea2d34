"""Retrieves candidates with EASE, a linear item-item model with a closed-form solution."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.eligibility import eligible_films
from tasks.liked import EARLIER
from tasks.rank.config import Retrieve
from tasks.rank.interactions import (
    USERS,
    build_interactions,
    count_cooccurrences,
    select_known,
    select_most_rated,
)
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
    candidates = pl.concat([_retrieve(table, fold, config) for fold in EARLIER])
    targets = table.filter(pl.col("role") == "target", pl.col("fold").is_in(list(EARLIER)))
    users = targets.select("fold", "user_id").unique()
    candidates = users.join(candidates, on=["fold", "user_id"], how="left")
    candidates = candidates.with_columns(pl.col("rank").fill_null(1)).select(*CANDIDATE)
    candidates.sort("fold", "user_id", "rank").write_parquet(draft / "candidates.parquet")


def fit_ease(counts: Floats, regularisation: float) -> Floats:
    """Item-item weights [films, films] from co-occurrence counts; the diagonal is 0.

    Steck, 2019, Embarrassingly Shallow Autoencoders for Sparse Data, arXiv 1905.03375, eq. 8.
    """
    inverse = np.linalg.inv(counts + regularisation * np.eye(len(counts)))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _retrieve(table: pl.DataFrame, fold: str, config: Retrieve) -> pl.DataFrame:
    """The candidates of a fold, fitted on earlier folds and on its own context."""
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    users = table.filter(is_target)["user_id"].unique().sort()
    if users.is_empty():
        return CANDIDATE.to_frame()
    known = select_known(table, fold)
    films = select_most_rated(known, config.films)
    weights = fit_ease(count_cooccurrences(known, films), config.regularisation)
    batches = [users[first : first + USERS] for first in range(0, len(users), USERS)]
    return pl.concat(
        _select_best(table, batch, known, films, weights, fold, config.candidates)
        for batch in batches
    )


def _select_best(
    table: pl.DataFrame,
    users: pl.Series,
    known: pl.DataFrame,
    films: pl.DataFrame,
    weights: Floats,
    fold: str,
    most: int,
) -> pl.DataFrame:
    """The eligible films of highest score for each of the users."""
    eligible = eligible_films(users.to_numpy(), fold, table.lazy(), films)
    raw = build_interactions(known, users, films) @ weights
    scores: Floats = np.where(eligible, np.round(raw, 9), -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    row, rank = np.nonzero(np.take_along_axis(eligible, order, axis=1))
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
