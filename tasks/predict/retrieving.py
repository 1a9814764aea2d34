"""Proposes films by what others have rated beside: EASE, a linear model with one closed form."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.artifacts import Histories
from tasks.predict.config import Retrieve
from tasks.predict.news import news_for
from tasks.predict.tables import LIST, list_table, no_ratings

Floats = NDArray[np.float64]
EARLIER = {"validation": ["train"], "test": ["train", "validation"]}
USERS = 1024  # at once


def write_candidates_of(draft: Path, histories: Histories, config: Retrieve) -> None:
    """Leave the best films for every user of the validation and the test fold in the draft."""
    table = histories.scan("histories").filter(pl.col("fold") != "unused").collect()
    lists = [_of_fold(table, fold, config) for fold in EARLIER]
    list_table(pl.concat(lists), config.predictor).write_parquet(draft / "lists.parquet")
    no_ratings(histories.notes["scale"]).write_parquet(draft / "ratings.parquet")


def ease(rated: Floats, regularisation: float) -> Floats:
    """Weights [films, films] from who rated what [users, films]; the diagonal is nought.

    Steck, 2019, Embarrassingly Shallow Autoencoders for Sparse Data, arXiv 1905.03375, eq. 8.
    """
    gram = rated.T @ rated
    gram[np.diag_indices_from(gram)] += regularisation
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _of_fold(table: pl.DataFrame, fold: str, config: Retrieve) -> pl.DataFrame:
    """One row a candidate, learnt from the folds before and what the fold itself shows."""
    is_target = (pl.col("fold") == fold) & (pl.col("part") == "target")
    known = table.filter(
        pl.col("fold").is_in(EARLIER[fold])
        | ((pl.col("fold") == fold) & (pl.col("part") == "context"))
    )
    films = known.group_by("film_id").agg(known_from=pl.col("rated_at").min(), count=pl.len())
    films = films.sort("count", "film_id", descending=[True, False]).head(config.films)
    films = films.sort("film_id")
    users = table.filter(is_target)["user_id"].unique().sort()
    rated = _matrix(known, known["user_id"].unique().sort(), films)
    weights = ease(rated, config.regularisation)
    parts = [
        _best(table, users[i : i + USERS], known, films, weights, fold, config.candidates)
        for i in range(0, len(users), USERS)
    ]
    return pl.concat(parts) if parts else LIST.to_frame()


def _matrix(known: pl.DataFrame, users: pl.Series, films: pl.DataFrame) -> Floats:
    """[users, films]: 1 where a user has rated a film. Both are sorted by id."""
    some = known.join(films, on="film_id", how="semi")
    some = some.filter(pl.col("user_id").is_in(users.implode()))
    matrix = np.zeros((len(users), len(films)))
    row = np.searchsorted(users.to_numpy(), some["user_id"].to_numpy())
    matrix[row, np.searchsorted(films["film_id"].to_numpy(), some["film_id"].to_numpy())] = 1.0
    return matrix


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
    raw = _matrix(known, users, films) @ weights
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
            "title": [""] * len(row),
            "rating": [None] * len(row),
            "score": scores[row, film],
        },
        LIST,
    )
