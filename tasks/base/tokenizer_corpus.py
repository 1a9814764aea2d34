"""The corpus of bloom-mini's tokenizer: films by how often they were rated, and feature texts."""

from collections.abc import Iterator

import polars as pl

from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.templates import count_strings, film_texts, prior_strings

FEATURE_WEIGHT = 20  # above the counts of the rarest merges of titles
# Films' lines beyond one each. With those of 20 million ratings titles take the whole vocabulary,
# and a rating is no token any more.
MOST_LINES = 200_000


def iter_corpus(ratings: ValidatedRatings, split: SplitRatings) -> Iterator[str]:
    """Yield the films' lines, 1 + `weigh` times each, then each feature text."""
    films = ratings.scan("films").collect()
    counts = (
        split.scan("ratings")
        .filter(fold="train")
        .group_by("film_id")
        .agg(pl.len().alias("count"))
        .collect()
    )
    rated = films.join(counts, on="film_id", how="left", maintain_order="left")["count"].fill_null(
        0
    )
    for text, weight in zip(film_texts(films), weigh(rated), strict=True):
        yield from [text] * (1 + weight)
    for fact in (*count_strings("film"), *count_strings("user"), *prior_strings()):
        yield from [fact] * FEATURE_WEIGHT


def weigh(rated: pl.Series) -> pl.Series:
    """How often each film was rated in the train fold, scaled down to MOST_LINES in all."""
    total = rated.sum()
    return rated if total <= MOST_LINES else rated * MOST_LINES // total
