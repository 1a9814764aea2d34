"""Builds texts and tokens of film lines from pieces that are tokenised once each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from tasks.features.point_in_time import Features
from tasks.features.rating_arrays import RatingArrays
from tasks.prompt.ragged import Ragged, join
from tasks.templates import (
    COUNT_BUCKETS,
    TENTHS,
    Template,
    count_strings,
    film_texts,
    prior_strings,
)
from tasks.text_tokenizer import tokenize_texts

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
    """One line a row, with the token span of its rating."""

    pieces: Pieces
    rating_start: Ints
    rating_end: Ints


class Wording:
    """A template bound to a tokenizer, a table of films and a scale of ratings."""

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
        self.features = {
            name: self.pieces(prior_strings() if name == "prior" else count_strings(name))
            for name in template.features
        }
        self.opening = self.pieces([template.opening])
        self.questions = {
            "rate": self.pieces([template.rate]),
            "recommend": self.pieces([template.recommend]),
        }
        self.closing = self.pieces([template.closing], split_special_tokens=False)
        self.context_ending = self._ending(template.context_separator)
        self.target_ending = self._ending(template.target_separator)

    def pieces(self, texts: Sequence[str], *, split_special_tokens: bool = True) -> Pieces:
        """Texts, each tokenised by itself; none of it becomes a special token unless it may."""
        tokens = tokenize_texts(self.tokenizer, texts, split_special_tokens=split_special_tokens)
        return Pieces(Ragged.of_texts(texts), Ragged.of(tokens, np.int32))

    def context_lines(self, rows: RatingArrays, features: Features | None) -> Lines:
        """The line of each rating in a context."""
        return self._lines(rows, features, self.context_ending)

    def target_lines(self, rows: RatingArrays, features: Features | None) -> Lines:
        """The line of each rating in an answer; it ends before a rating of NaN."""
        return self._lines(rows, features, self.target_ending)

    def unrated_lines(self) -> Pieces:
        """Each film's answer line, without features, up to the rating."""
        unrated = np.full(len(self.films.tokens), len(self.scale))
        ending = self.target_ending.pieces.take(unrated)
        return _join_pieces([self.films, ending])

    def _lines(self, rows: RatingArrays, features: Features | None, ending: Lines) -> Lines:
        head = [self.films.take(rows.film)]
        if features is not None:
            names = self.template.features
            head += [self.features[name].take(_piece_row(name, features)) for name in names]
        value = np.searchsorted(self.scale, rows.rating)  # NaN sorts last
        before = sum(piece.tokens.lengths for piece in head)
        return Lines(
            _join_pieces([*head, ending.pieces.take(value)]),
            before + ending.rating_start[value],
            before + ending.rating_end[value],
        )

    def _ending(self, words: str) -> Lines:
        """The end of a line for each value of the scale, then the one without a rating."""
        texts = [f"{words}{value:.1f}\n" for value in self.scale]
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        starts, ends = [], []
        for offsets in encoded["offset_mapping"]:
            # A token that begins with the space before the rating belongs to it.
            starts.append(next(i for i, (_, end) in enumerate(offsets) if end > len(words)))
            ends.append(1 + max(i for i, (at, _) in enumerate(offsets) if at < len(words) + 3))
        open_end = encoded["input_ids"][0][: starts[0]]
        tokens = Ragged.of([*encoded["input_ids"], open_end], np.int32)
        pieces = Pieces(Ragged.of_texts([*texts, words]), tokens)
        return Lines(pieces, np.array([*starts, starts[0]]), np.array([*ends, starts[0]]))


def _piece_row(name: str, features: Features) -> Ints:
    """The row of a feature's pieces that has its text."""
    if name == "prior":
        known = ~np.isnan(features.prior)
        return np.where(known, _to_tenths(np.nan_to_num(features.prior)), TENTHS)
    mean, count = getattr(features, f"{name}_mean"), getattr(features, f"{name}_count")
    bucket = np.where(count > 0, 1 + np.log2(np.maximum(count, 1)).astype(np.int64), 0)
    return _to_tenths(np.nan_to_num(mean)) * COUNT_BUCKETS + bucket


def _to_tenths(stars: NDArray[np.float64]) -> Ints:
    return np.clip(np.rint(stars * 10), 0, TENTHS - 1).astype(np.int64)


def _join_pieces(parts: Sequence[Pieces]) -> Pieces:
    return Pieces(join([p.texts for p in parts]), join([p.tokens for p in parts]))
