"""What a baseline learns from: ratings as arrays, users and films as codes from 0."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
EARLIER = {"validation": ["train"], "test": ["train", "validation"]}


@dataclass(frozen=True)
class Known:
    """Ratings by user, oldest first; `users` and `films` say how many codes there are."""

    user: Ints
    film: Ints
    rating: Floats
    users: int
    films: int


class Codes:
    """Users and films as numbers from 0."""

    def __init__(self, table: pl.DataFrame, films: pl.DataFrame) -> None:
        self.users = table["user_id"].unique().sort().to_numpy()
        self.films = films["film_id"].sort().to_numpy()

    def pairs(self, rows: pl.DataFrame) -> tuple[Ints, Ints]:
        """User and film of each row."""
        return (
            np.searchsorted(self.users, rows["user_id"].to_numpy()),
            np.searchsorted(self.films, rows["film_id"].to_numpy()),
        )

    def known(self, rows: pl.DataFrame) -> Known:
        """The ratings of these rows, which are by user and time."""
        rating = rows["rating"].to_numpy().astype(np.float64)
        return Known(*self.pairs(rows), rating, len(self.users), len(self.films))


def parts(table: pl.DataFrame, fold: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What may be learnt from for a fold, and what is asked in it."""
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    known = table.filter(pl.col("fold").is_in([*EARLIER[fold], fold]) & ~is_target)
    return known, table.filter(is_target).sort("user_id", "film_id")
