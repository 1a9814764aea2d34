"""Ratings of some users as arrays of equal length."""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Integers = NDArray[Any]  # of any width
Arrays = TypeVar("Arrays", bound=Any)
FOLDS = ("train", "validation", "test")


@dataclass(frozen=True)
class RatingArrays:
    """Ratings sorted by user and position."""

    user: Integers
    film: Integers  # row in the table of films
    rating: NDArray[np.float64]  # stars; NaN where unknown
    time: Ints  # in any unit that orders them
    fold: Integers  # index into FOLDS
    target: NDArray[np.bool_]
    log_prior: NDArray[np.float32]  # [ratings, values] of the prior stage; NaN where it has none

    def known_to(self, fold: int) -> NDArray[np.bool_]:
        """Which ratings a fold may learn from: those of earlier folds, and its context ratings."""
        return (self.fold < fold) | ((self.fold == fold) & ~self.target)


def any_of_user(user: Integers, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a row's user has a chosen row; the rows of each user are adjacent."""
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    found = np.logical_or.reduceat(chosen, starts) if len(user) else chosen
    return np.repeat(found, np.diff(starts, append=len(user)))


def take_rows(arrays: Arrays, rows: Ints) -> Arrays:
    """Those rows of a dataclass of arrays of equal length."""
    names = [field.name for field in dataclasses.fields(arrays)]
    return dataclasses.replace(arrays, **{name: getattr(arrays, name)[rows] for name in names})
