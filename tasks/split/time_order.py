"""Orders the ratings of each user by time, with a rule for equal timestamps."""

from typing import Literal

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pydantic
from numpy.typing import NDArray

from tasks.seeded_hash import hash_integers

Ints = NDArray[np.int64]


class TimeOrdered(pydantic.BaseModel, frozen=True, extra="forbid"):
    """A protocol that orders by time.

    Ties are broken by a seeded hash of the film (`hash`), so that no model can learn the order of
    a file, or by film id (`film`), as published reference figures do.
    """

    ties: Literal["hash", "film"] = "hash"
    """Order of equal timestamps: `hash` by a seeded hash of the film, so that no model can learn
    the file's order; `film` by film id, as published reference figures."""
    seed: int = 0
    """Seed of the order of ties and the choice of users."""

    def order_by_time(self, ratings: pl.DataFrame) -> pl.DataFrame:
        """Sort by user and time; add `position` and `size` of each user's history."""
        if not _is_time_ordered(ratings):
            ratings = ratings.sort("user_id", "rated_at")
        # One integer a row, time rank * films + tie rank: one argsort orders by both.
        rank, films = self._tie_ranks(ratings["film_id"])
        ratings = ratings[np.argsort(np.cumsum(_starts_new_time(ratings)) * films + rank)]
        user = ratings["user_id"].to_numpy()
        starts = np.flatnonzero(np.r_[True, user[1:] != user[:-1]][: len(user)])
        sizes = np.diff(np.r_[starts, len(user)])
        position = np.arange(len(user)) - np.repeat(starts, sizes)
        return ratings.with_columns(
            position=pl.Series(position, dtype=pl.Int32),
            size=pl.Series(np.repeat(sizes, sizes), dtype=pl.Int32),
        )

    def _tie_ranks(self, films: pl.Series) -> tuple[Ints, int]:
        """The rank of each row's film in the tie order, and the number of films."""
        distinct = films.unique().sort()
        by_film = self.ties == "film"
        tie = distinct.to_numpy() if by_film else hash_integers(self.seed, "ties", distinct)
        rank = np.empty(len(distinct), np.int64)
        rank[np.argsort(tie, kind="stable")] = np.arange(len(distinct))
        place = pc.index_in(films.to_arrow(), distinct.to_arrow())
        return rank[place.to_numpy()], len(distinct)


def _starts_new_time(ratings: pl.DataFrame) -> NDArray[np.bool_]:
    user, time = _user_and_time(ratings)
    return np.r_[True, (user[1:] != user[:-1]) | (time[1:] != time[:-1])][: len(user)]


def _is_time_ordered(ratings: pl.DataFrame) -> bool:
    user, time = _user_and_time(ratings)
    later = (user[1:] > user[:-1]) | ((user[1:] == user[:-1]) & (time[1:] >= time[:-1]))
    return bool(later.all())


def _user_and_time(ratings: pl.DataFrame) -> tuple[Ints, Ints]:
    return ratings["user_id"].to_numpy(), ratings["rated_at"].to_physical().to_numpy()
