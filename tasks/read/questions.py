"""Asks the model about users: for ratings of films, and for films as the first of a list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.nn.examples import Example, Examples, SupervisedSpans
from tasks.readout.anchor import WEIGHT
from tasks.readout.inference import Questions, Reader
from tasks.store.artifacts import Prompts
from tasks.templates import Compact, Original, read_template

READING = pl.Schema(
    [
        ("role", pl.String),
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("film_id", pl.Int32),
        ("rating", pl.Float32),
        ("log_p", pl.List(pl.Float32)),
        ("log_prior", pl.List(pl.Float32)),
        ("log_likelihood", pl.Float64),
        ("user_hash", pl.String),
    ]
)
EMPTY = np.empty(0, np.int64)
NO_SPANS = SupervisedSpans(
    EMPTY, EMPTY, EMPTY, np.empty(0, np.float32), np.empty((0, 0), np.float32)
)
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class ListQuestion:
    """The question for a list behind a context, and the line of each film."""

    template: Compact | Original
    tokenizer: PreTrainedTokenizerBase
    lines: Mapping[int, Ints]

    @classmethod
    def of(cls, prompts: Prompts, tokenizer: PreTrainedTokenizerBase) -> "ListQuestion":
        """In the wording of these prompts."""
        films = prompts.scan("films").collect()
        lines = dict(zip(films["film_id"], map(np.array, films["tokens"].to_list()), strict=True))
        return cls(read_template(prompts), tokenizer, lines)

    def ask(self, rated: Example, row: Mapping[str, Any]) -> Example:
        """With a branch for each film that the example `rated`, from that row, asks to rate."""
        return Example(
            self._prefix(rated.prefix, row),
            [self.lines[film] for film in row["film_ids"]],
            NO_SPANS,
        )

    def _prefix(self, rated: Ints, row: Mapping[str, Any]) -> Ints:
        """As in training: by pieces, or as a whole text."""
        if not self.template.tokenize_per_line:
            return self._tokenize(row["context"] + self.template.recommend)
        context = rated[: len(rated) - len(self._tokenize(self.template.rate))]
        return np.r_[context, self._tokenize(self.template.recommend)]

    def _tokenize(self, text: str) -> Ints:
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return np.array(encoded["input_ids"], np.int64)


def read_examples(
    reader: Reader, examples: pa.Table, question: ListQuestion | None
) -> pl.DataFrame:
    """One row a film of the examples, of which those of a user are neighbours: READING.

    With `question` candidates have a log-likelihood. What is read is what the model adds to the
    prior, in nats.
    """
    rows, read = pl.DataFrame(examples), Examples.from_table(examples).take(range(len(examples)))
    reading = reader.read_users(list(_by_user(rows, read, question)))
    log_p, log_prior = reading.log_p, _stack([example.spans.log_prior for example in read])
    if log_prior.shape[1]:
        log_p *= WEIGHT
    else:
        log_prior = np.zeros_like(log_p)
    films = rows.select("role", "fold", "user_id", film_id="film_ids", rating="ratings")
    films = films.explode("film_id", "rating")
    likelihood = np.full(len(films), np.nan)
    if question:
        likelihood[(films["role"] == "candidate").to_numpy()] = reading.log_likelihood
    films = films.with_columns(
        log_p=pl.Series(log_p, dtype=pl.List(pl.Float64)),
        log_prior=pl.Series(log_prior, dtype=pl.List(pl.Float64)),
        log_likelihood=pl.Series(likelihood).fill_nan(None),
        user_hash=None,
    )
    return films.select(READING.names()).cast(READING)


def _by_user(
    rows: pl.DataFrame, examples: Sequence[Example], question: ListQuestion | None
) -> Iterator[Questions]:
    first = 0
    for user in rows.partition_by("user_id", maintain_order=True):
        own = examples[first : first + len(user)]
        pairs = zip(own, user.iter_rows(named=True), strict=True)
        retrieved = [pair for pair in pairs if pair[1]["role"] == "candidate"]
        yield Questions(own, [question.ask(*pair) for pair in retrieved] if question else [])
        first += len(user)


def _stack(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """End to end [ratings, values]; where none has a prior, without columns."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1]))) for p in parts])
