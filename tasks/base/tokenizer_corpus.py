"""What the tokenizer of bloom-mini learns from: films as often as they were rated, and facts."""

from collections.abc import Iterator

import polars as pl

from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.templates import film_texts, guesses, known_facts

FACT_WEIGHT = 20  # how often each fact is shown: more than the rarest merges of titles


def tokenizer_texts(ratings: ValidatedRatings, split: SplitRatings) -> Iterator[str]:
    """Lines of films, once each and once for each rating of the train fold; then every fact."""
    films = ratings.scan("films").collect()
    counts = (
        split.scan("ratings")
        .filter(fold="train")
        .group_by("film_id")
        .agg(pl.len().alias("count"))
        .collect()
    )
    seen = films.join(counts, on="film_id", how="left", maintain_order="left")["count"].fill_null(0)
    for text, count in zip(film_texts(films), seen, strict=True):
        yield from [text] * (1 + count)
    for fact in (*known_facts("film"), *known_facts("user"), *guesses()):
        yield from [fact] * FACT_WEIGHT
