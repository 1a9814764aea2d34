"""Who has rated what, as far as a fold may know it, and which films the same people rate."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EARLIER = {"validation": ["train"], "test": ["train", "validation"]}
USERS = 1024  # at once


def known_of(table: pl.DataFrame, fold: str) -> pl.DataFrame:
    """The ratings that may be learnt from, or are shown, where this fold is to be guessed."""
    shown = (pl.col("fold") == fold) & (pl.col("role") == "context")
    return table.filter(pl.col("fold").is_in(EARLIER[fold]) | shown)


def most_rated(known: pl.DataFrame, most: int) -> pl.DataFrame:
    """film_id, ascending, first_rated_at and count of the films that most have rated."""
    films = known.group_by("film_id").agg(first_rated_at=pl.col("rated_at").min(), count=pl.len())
    films = films.sort("count", "film_id", descending=[True, False]).head(most)
    return films.sort("film_id")


def matrix(known: pl.DataFrame, users: pl.Series, films: pl.DataFrame) -> Floats:
    """[users, films]: 1 where a user has rated a film. Both are sorted by id."""
    some = known.join(films, on="film_id", how="semi")
    some = some.filter(pl.col("user_id").is_in(users.implode()))
    rated = np.zeros((len(users), len(films)))
    row = np.searchsorted(users.to_numpy(), some["user_id"].to_numpy())
    rated[row, np.searchsorted(films["film_id"].to_numpy(), some["film_id"].to_numpy())] = 1.0
    return rated


def together(known: pl.DataFrame, films: pl.DataFrame) -> Floats:
    """[films, films]: how many users have rated both; on the diagonal, how many that one.

    Some users at a time, so that memory is that of the result; counts are exact in any order.
    """
    users, counts = known["user_id"].unique().sort(), np.zeros((len(films), len(films)))
    for first in range(0, len(users), USERS):
        rated = matrix(known, users[first : first + USERS], films)
        counts += rated.T @ rated
    return counts


def nearness(
    known: pl.DataFrame, asked: pl.DataFrame, films: pl.DataFrame, latest: int
) -> pl.Series:
    """For each user_id and film_id asked: the film's cosines with the user's latest, summed.

    This is item-kNN with all neighbours (Sarwar et al., 2001, WWW) on the end of a history: what
    people watch next is nearest to what they have watched last.
    """
    if asked.is_empty():
        return pl.Series(dtype=pl.Float64)
    counts = together(known, films)
    root = np.sqrt(np.diag(counts))
    counts /= root[:, None]
    counts /= root
    np.fill_diagonal(counts, 0.0)
    film_ids, users = films["film_id"].to_numpy(), asked["user_id"].unique().sort()
    last = known.filter(pl.col("user_id").is_in(users.implode())).join(
        films, on="film_id", how="semi"
    )
    last = last.sort("user_id", "position").group_by("user_id", maintain_order=True).tail(latest)
    user = np.searchsorted(users.to_numpy(), last["user_id"].to_numpy())
    place = last.select(pl.int_range(pl.len()).over("user_id")).to_series().to_numpy()
    rows = np.full((len(users), latest), -1)
    rows[user, place] = np.searchsorted(film_ids, last["film_id"].to_numpy())
    of_asked = rows[np.searchsorted(users.to_numpy(), asked["user_id"].to_numpy())]
    film = np.searchsorted(film_ids, asked["film_id"].to_numpy())
    near = np.where(of_asked < 0, 0.0, counts[film[:, None], of_asked])
    return pl.Series(near.sum(1), dtype=pl.Float64)
