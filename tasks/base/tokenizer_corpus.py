"""The corpus of bloom-mini's tokenizer: each film as often as it was rated, and feature texts."""

from collections.abc import Iterator

import polars as pl

from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.templates import count_strings, film_texts, prior_strings

FEATURE_WEIGHT = 20  # above the counts of the rarest merges of titles


def iter_corpus(ratings: ValidatedRatings, split: SplitRatings) -> Iterator[str]:
    """Yield each film's line 1 + (ratings in the train fold) times, then each feature text."""
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
    for text, count in zip(film_texts(films), rated, strict=True):
        yield from [text] * (1 + count)
    for fact in (*count_strings("film"), *count_strings("user"), *prior_strings()):
        yield from [fact] * FEATURE_WEIGHT
