"""Training ratings as arrays, with users and films as codes from 0."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Entries = tuple[Ints, Ints, Ints, Floats]  # user, rank, film and score of each
EARLIER = {"validation": ["train"], "test": ["train", "validation"]}


@dataclass(frozen=True)
class Interactions:
    """Ratings by user, oldest first; `users` and `films` are the numbers of codes."""

    user: Ints
    film: Ints
    rating: Floats
    users: int
    films: int


ListModel = Callable[[Interactions, Ints, int], Entries]  # of these users, lists of so many films


class Codes:
    """The codes of users and films."""

    def __init__(self, ratings: pl.LazyFrame, films: pl.DataFrame) -> None:
        users = ratings.select(pl.col("user_id").unique().sort()).collect()
        self.users = users["user_id"].to_numpy()
        self.films = films["film_id"].sort().to_numpy()

    def pairs(self, rows: pl.DataFrame) -> tuple[Ints, Ints]:
        """User and film of each row."""
        return (
            np.searchsorted(self.users, rows["user_id"].to_numpy()),
            np.searchsorted(self.films, rows["film_id"].to_numpy()),
        )

    def interactions(self, rows: pl.DataFrame) -> Interactions:
        """These ratings, which are sorted by user and time."""
        rating = rows["rating"].to_numpy().astype(np.float64)
        return Interactions(*self.pairs(rows), rating, len(self.users), len(self.films))


def training_and_targets(
    ratings: pl.LazyFrame, codes: Codes, fold: str
) -> tuple[Interactions, pl.DataFrame]:
    """The ratings that a fold may learn from, and the fold's targets."""
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    training = ratings.filter(pl.col("fold").is_in([*EARLIER[fold], fold]) & ~is_target)
    targets = ratings.filter(is_target).select("fold", "user_id", "film_id", "rating")
    return (
        codes.interactions(training.select("user_id", "film_id", "rating").collect()),
        targets.sort("user_id", "film_id").collect(),
    )


def as_entries(users: Ints, film: Ints, score: Floats) -> Entries:
    """The entries of lists [users, places], best first; a place without a score is left out."""
    there = ~np.isnan(score)
    rank = np.broadcast_to(np.arange(1, film.shape[1] + 1), film.shape)
    user = np.repeat(users, there.sum(axis=1))
    return user, rank[there], film[there].astype(np.int64), score[there].astype(np.float64)
