"""Describes how a user has rated of late, beside what was expected: residual trees learn from it.

Everything is as of the end of a history: `end` is the row behind its last rating.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.features.affinity import film_affinity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LAST = (5, 10, 30)  # ratings that residuals are averaged over, and all of them
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Questions:
    """Films in question: of users whose history is rows [start, end), at a time in microseconds.

    p [questions, values] is what is expected, `count` how often the film was rated before.
    """

    film: Ints
    start: Ints
    end: Ints
    time: Ints
    p: Floats
    count: Ints

    def take(self, rows: NDArray) -> "Questions":
        """Those questions."""
        return Questions(*(values[rows] for values in vars(self).values()))


@dataclass(frozen=True)
class History:
    """Ratings sorted by user and position; residuals in stars, NaN where nothing was expected.

    `year` and `genres` [films, genres], rows of length 1, are those of the catalogue.
    """

    film: Ints
    time: Ints
    residual: Floats
    year: Floats
    genres: Floats

    def describe(self, questions: Questions, scale: Floats) -> Floats:
        """[questions, 13]: mean residuals, mean absolute residual, how many, days since the last
        and first rating, expectation, spread, the film's count and year, the genres' affinity.
        """
        start, end = questions.start, questions.end
        expected = questions.p @ scale
        columns: list[NDArray] = [
            self._mean(self.residual, start, end, n) for n in (*LAST, len(self.time))
        ]
        columns.append(self._mean(np.abs(self.residual), start, end, LAST[1]))
        columns.append(_between(~np.isnan(self.residual), start, end))
        for row in (np.maximum(end - 1, start), start):
            columns.append((questions.time - self.time[row]) / DAY)
        columns += [expected, np.sqrt(questions.p @ scale**2 - expected**2)]
        columns += [
            questions.count,
            self.year[questions.film],
            self.affinity(questions, self.genres),
        ]
        return np.stack(columns, axis=1)

    def affinity(self, questions: Questions, vectors: Floats) -> Floats:
        """Mean residual of the films that are near by these vectors [films, width]: [questions]."""
        return film_affinity(
            vectors, self.film, self.residual, questions.film, questions.start, questions.end
        )

    def _mean(self, values: Floats, start: Ints, end: Ints, last: int) -> Floats:
        """Mean over the last rows; 0 where none of them has a value."""
        known, first = ~np.isnan(values), np.maximum(end - last, start)
        total = _between(np.where(known, values, 0.0), first, end)
        return total / np.maximum(_between(known, first, end), 1)


def _between(values: NDArray, start: Ints, end: Ints) -> Floats:
    """Sums over rows [start, end)."""
    running = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = running[end] - running[start]
    return sums
