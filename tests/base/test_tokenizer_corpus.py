"""The lines from which bloom-mini's tokenizer learns."""

import polars as pl

from tasks.base.tokenizer import train_tokenizer
from tasks.base.tokenizer_corpus import MOST_LINES, weigh

SCALE = [stars / 2 for stars in range(1, 11)]


def test_small_data_have_a_line_a_rating():
    rated = pl.Series([583, 0, 90_000])
    assert weigh(rated).to_list() == rated.to_list()


def test_half_stars_are_tokens_however_often_films_were_rated():
    """As in MovieLens 20M, where counts as they are would leave ratings in pieces."""
    rated = pl.Series([67_310 - 13 * film for film in range(600)])
    weights = weigh(rated)
    assert weights.is_sorted(descending=True)
    assert MOST_LINES - len(rated) <= weights.sum() <= MOST_LINES
    syllables = ["ba", "ce", "di", "fo", "gu"]
    titles = [
        " ".join(syllables[(film * k) % 5] + syllables[(film // k) % 5] for k in (1, 2, 3, 5, 7))
        for film in range(600)
    ]
    lines = (
        f"{title} {film} (19{film % 90 + 10}), Drama\n"
        for film, (title, weight) in enumerate(zip(titles, weights, strict=True))
        for _ in range(1 + weight)
    )
    tokenizer = train_tokenizer(lines, scale=SCALE, vocabulary=1024)
    assert len(tokenizer.encode(", Rating: 4.5\n")) == 3
