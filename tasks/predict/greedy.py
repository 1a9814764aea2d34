"""The rating that greedy decoding would spell, as the original took it: kept for comparison."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POINTS = ["mean", "median", "mode", "within_half"]
WITHOUT_DISTRIBUTION = ["pi80_low", "pi80_high", "p_like", "probabilities"]


def decode_greedily(
    log_p: Floats, scale: Sequence[float], paths: Sequence[Sequence[int]]
) -> Floats:
    """The rating in stars of each row of log-probabilities [ratings, values].

    `paths` are the tokens that spell each value. Takes the likeliest token at each step: where
    several tokens spell a rating this need not be the likeliest rating.
    """
    left = np.exp(log_p)
    for depth in range(max(map(len, paths))):
        tokens = np.array([path[depth] if depth < len(path) else -1 for path in paths])
        same = (tokens[:, None] == np.unique(tokens)).astype(np.float64)  # [values, tokens]
        left = left * same.T[(left @ same).argmax(1)]
    return np.asarray(scale)[left.argmax(1)]


def build_greedy_table(
    ratings: pl.DataFrame, log_p: Floats, scale: Sequence[float], paths: Sequence[Sequence[int]]
) -> pl.DataFrame:
    """The rows of the predictor `{predictor}_greedy`: one value, no distribution.

    `log_p` are the model's log-probabilities in the order of its table `ratings`.
    """
    value = pl.Series(decode_greedily(log_p, scale, paths))
    empty = [pl.lit(None).cast(ratings.schema[n]).alias(n) for n in WITHOUT_DISTRIBUTION]
    greedy = ratings.with_columns(*empty, **dict.fromkeys(POINTS, value))
    return greedy.with_columns(predictor=pl.col("predictor") + "_greedy")
