"""Words and tokens of a film's line, put together from pieces that are tokenised once each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from tasks.features.point_in_time import Facts
from tasks.features.rating_arrays import RatingArrays
from tasks.prompt.ragged import Ragged, join
from tasks.templates import BUCKETS, STEPS, Template, count_strings, film_texts, prior_strings

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Texts and their tokens, row by row."""

    texts: Ragged
    tokens: Ragged

    def take(self, rows: Ints) -> "Pieces":
        """Those rows, in that order."""
        return Pieces(self.texts.take(rows), self.tokens.take(rows))


@dataclass(frozen=True)
class Lines:
    """One line a row, with the place of the rating in its tokens."""

    pieces: Pieces
    rating_start: Ints
    rating_end: Ints


class Wording:
    """A template bound to a tokenizer, a catalogue of films and a scale of ratings."""

    def __init__(
        self,
        template: Template,
        tokenizer: PreTrainedTokenizerFast,
        films: pl.DataFrame,
        scale: Sequence[float],
    ) -> None:
        self.template = template
        self.tokenizer = tokenizer
        self.scale = np.asarray(scale)
        self.films = self.pieces(film_texts(films))
        self.facts = {
            "film": self.pieces(count_strings("film")),
            "user": self.pieces(count_strings("user")),
            "prior": self.pieces(prior_strings()),
        }
        self.opening = self.pieces([template.opening])
        self.questions = {
            "rate": self.pieces([template.rate]),
            "recommend": self.pieces([template.recommend]),
        }
        self.closing = self.pieces([template.closing])
        self.shown_tail = self._tail(template.context_separator)
        self.asked_tail = self._tail(template.target_separator)

    def pieces(self, texts: Sequence[str]) -> Pieces:
        """Texts, each tokenised by itself, without special tokens."""
        encoded = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return Pieces(Ragged.of_texts(texts), Ragged.of(encoded, np.int32))

    def shown(self, rows: RatingArrays, facts: Facts | None) -> Lines:
        """The line of each rating as it stands in a context."""
        return self._lines(rows, facts, self.shown_tail)

    def asked(self, rows: RatingArrays, facts: Facts | None) -> Lines:
        """The line of each rating as it stands in an answer; a rating of NaN is left open."""
        return self._lines(rows, facts, self.asked_tail)

    def open_lines(self) -> Pieces:
        """For each film its answer line, without facts, up to the rating."""
        unrated = np.full(len(self.films.tokens), len(self.scale))
        tail = self.asked_tail.pieces.take(unrated)
        return _joined([self.films, tail])

    def _lines(self, rows: RatingArrays, facts: Facts | None, tail: Lines) -> Lines:
        head = [self.films.take(rows.film)]
        if facts is not None:
            head += [self.facts[name].take(_code(name, facts)) for name in self.template.features]
        value = np.searchsorted(self.scale, rows.rating)  # NaN sorts behind all: the open tail
        before = sum(piece.tokens.lengths for piece in head)
        return Lines(
            _joined([*head, tail.pieces.take(value)]),
            before + tail.rating_start[value],
            before + tail.rating_end[value],
        )

    def _tail(self, words: str) -> Lines:
        """The end of a line for each value of the scale, and the open end for an unknown one."""
        texts = [f"{words}{value:.1f}\n" for value in self.scale]
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        starts, ends = [], []
        for offsets in encoded["offset_mapping"]:
            # A token that begins with the blank before the rating spells the rating.
            starts.append(next(i for i, (_, end) in enumerate(offsets) if end > len(words)))
            ends.append(1 + max(i for i, (at, _) in enumerate(offsets) if at < len(words) + 3))
        open_end = encoded["input_ids"][0][: starts[0]]
        tokens = Ragged.of([*encoded["input_ids"], open_end], np.int32)
        pieces = Pieces(Ragged.of_texts([*texts, words]), tokens)
        return Lines(pieces, np.array([*starts, starts[0]]), np.array([*ends, starts[0]]))


def _code(name: str, facts: Facts) -> Ints:
    """The row of a fact's pieces that words it."""
    if name == "prior":
        return _tenths(facts.guess)
    mean, count = getattr(facts, f"{name}_mean"), getattr(facts, f"{name}_count")
    bucket = np.where(count > 0, 1 + np.log2(np.maximum(count, 1)).astype(np.int64), 0)
    return _tenths(np.nan_to_num(mean)) * BUCKETS + bucket


def _tenths(stars: NDArray[np.float64]) -> Ints:
    return np.clip(np.rint(stars * 10), 0, STEPS - 1).astype(np.int64)


def _joined(parts: Sequence[Pieces]) -> Pieces:
    return Pieces(join([p.texts for p in parts]), join([p.tokens for p in parts]))
