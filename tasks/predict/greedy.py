"""The rating that greedy text would spell, as the original took it: kept for comparison."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.readout.rating_trie import RatingTrie

Floats = NDArray[np.float64]
SAID = ["mean", "median", "mode", "within_half"]


def greedy_values(log_p: Floats, trie: RatingTrie) -> Floats:
    """Of log-probabilities [ratings, values]: token by token the likeliest, in stars.

    Where several tokens spell a rating this need not be the likeliest rating.
    """
    left = np.exp(log_p)
    for depth in range(max(map(len, trie.paths))):
        tokens = np.array([path[depth] if depth < len(path) else -1 for path in trie.paths])
        same = (tokens[:, None] == np.unique(tokens)).astype(np.float64)  # [values, tokens]
        left = left * same.T[(left @ same).argmax(1)]
    return np.asarray(trie.scale)[left.argmax(1)]


def greedy_table(ratings: pl.DataFrame, log_p: Floats, trie: RatingTrie) -> pl.DataFrame:
    """The rows of another predictor, which knows one value and no distribution.

    `ratings` is the model's own table, and `log_p` what was read, in its order.
    """
    value = pl.Series(greedy_values(log_p, trie))
    nothing = [pl.lit(None).cast(ratings.schema[n]).alias(n) for n in ratings.columns[-4:]]
    said = ratings.with_columns(*nothing, **dict.fromkeys(SAID, value))
    return said.with_columns(predictor=pl.col("predictor") + "_greedy")
