"""Averages a user's residuals, weighted by how near each film of the history is to one in question.

Attention with fixed keys: the weight is the squared cosine of two films' vectors, none where it is
negative, so that a handful of near films counts for more than hundreds of far ones.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DAMPING = 1.0  # films of a residual of zero that are added, at a weight of 1
CANDIDATES = 2048  # at once: a history of 10,000 films against itself has gigabytes


def film_affinity(
    vectors: Floats, film: Ints, residual: Floats, candidate: Ints, start: Ints, end: Ints
) -> Floats:
    """Mean weighted residual in stars behind each candidate: [candidates].

    vectors [films, width] have length 1 or 0; film and residual [ratings] are the histories,
    residuals NaN where unknown; `candidate` [candidates] are films, whose user's history is rows
    [start, end).
    """
    order = np.argsort(start, kind="stable")
    cuts = [0, *(np.flatnonzero(np.diff(start[order])) + 1), len(order)]
    result = np.zeros(len(candidate))
    known, value = ~np.isnan(residual), np.nan_to_num(residual)
    spans = [(i, b) for a, b in pairwise(cuts) for i in range(a, b, CANDIDATES)]
    for first, last in spans:
        rows = order[first : min(first + CANDIDATES, last)]
        history = slice(start[rows[0]], end[rows].max())
        weight = np.maximum(vectors[candidate[rows]] @ vectors[film[history]].T, 0) ** 2
        weight *= known[history] & (np.arange(weight.shape[1]) < (end - start)[rows][:, None])
        result[rows] = weight @ value[history] / (weight.sum(1) + DAMPING)
    return result


def unit_rows(matrix: Floats) -> Floats:
    """Rows divided by their length; rows of zeros stay."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Floats = matrix / np.where(length > 0, length, 1)
    return unit
