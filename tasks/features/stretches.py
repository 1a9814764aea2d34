"""Numbers the stretches of the histories: what is predicted from what."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

FOLDS = ("train", "validation", "test")
NEVER = 127  # has no prior, and nothing is learnt from it

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stretches:
    """`number` [ratings] of each rating's stretch, from 0, predicted from those before it.

    Behind the stretches of the train histories follow the targets of train, validation and test.
    Those may learn from the contexts of their fold as well: `contexts` [ratings] by stretch.
    """

    number: Ints
    contexts: dict[int, Bools]
    of_history: int

    @property
    def predicted(self) -> list[int]:
        """The stretches that have ratings and something to learn from, the largest fit first."""
        numbers = [int(n) for n in np.unique(self.number) if 0 < n < NEVER]
        return sorted(numbers, reverse=True)

    def learnable(self, p: Floats) -> Iterator[tuple[int, Bools, Bools]]:
        """Each predicted stretch, its rows, and the rows that residual models of it learn from.

        These are rows with an expectation in `p` [ratings, values], of the later half of the
        stretches before it, which are expected from enough.
        """
        expected = ~np.isnan(p).any(1)
        for stretch in reversed(self.predicted):
            first = min(self.of_history // 2, stretch - 1)
            before = (self.number >= first) & (self.number < stretch)
            yield stretch, self.number == stretch, before & expected

    def known(self, stretch: int) -> Bools:
        """What the prior of a stretch is fitted on."""
        known: Bools = self.number < stretch
        return known | self.contexts.get(stretch, np.zeros(len(known), bool))


def number_stretches(split: pl.DataFrame, parts: int, *, by_time: bool) -> Stretches:
    """Number the ratings of a split, sorted by user and position.

    Train histories are cut into `parts` of equal length a user, or, `by_time`, of equal numbers of
    ratings by time, as the split itself is. Context ratings of later folds have no prior.
    """
    fold = np.searchsorted(FOLDS, split["fold"].to_numpy(), sorter=np.argsort(FOLDS))
    fold = np.argsort(FOLDS)[fold]
    target = (split["role"] == "target").to_numpy()
    history = (fold == 0) & ~target
    number = np.full(len(split), NEVER)
    number[history] = _part(split.filter(pl.Series(history)), parts, by_time=by_time)
    contexts = {}
    for code in range(len(FOLDS)):
        stretch = parts + code
        number[target & (fold == code)] = stretch
        contexts[stretch] = ~target & (fold == code) & (code > 0)
    return Stretches(number, contexts, parts)


def _part(history: pl.DataFrame, parts: int, *, by_time: bool) -> Ints:
    if by_time:
        rank = history["rated_at"].to_physical().rank("min").to_numpy() - 1
        return (rank * parts / len(history)).astype(np.int64)
    place = pl.int_range(pl.len()).over("user_id")
    return history.select(place * parts // pl.len().over("user_id")).to_series().to_numpy()
