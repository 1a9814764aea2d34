"""Reads rating distributions and text likelihoods; a user's context is run once for all films."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tasks.nn.collate import collate, first_fit_decreasing
from tasks.nn.examples import Example, SupervisedSpans
from tasks.nn.forward import attends_densely, config_of, hidden_states, output_layer
from tasks.nn.free_memory import readable_tokens
from tasks.nn.out_of_memory import MemoryLimit
from tasks.nn.packing import ANSWER, PackedBatch, PackedExample, pack_example
from tasks.nn.shared_prefix import share_prefix
from tasks.readout.config import Inference
from tasks.readout.rating_trie import RatingTrie

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LABELS = 1024  # per slice of logits over the whole vocabulary
COLUMNS = 64  # widths are rounded up to it, so that a row's bits do not depend on the other rows


class Questions(NamedTuple):
    """What is read of a user: ratings behind branches, and the likelihood of branches as texts."""

    rated: Sequence[Example]
    texts: Sequence[Example] = ()


class Reading(NamedTuple):
    """In nats: `log_p` [ratings, values] of each rating, `log_likelihood` [branches] of texts."""

    log_p: Floats
    log_likelihood: Floats


@dataclass(frozen=True)
class Reader:
    """A model, the spelling of its ratings, and how examples are batched."""

    model: nn.Module
    trie: RatingTrie
    config: Inference
    limit: MemoryLimit = field(default_factory=MemoryLimit)

    def read(self, examples: Sequence[Example]) -> Floats:
        """Log-probabilities [ratings, values], in the order of the examples and their spans."""
        return self.read_users([Questions([example]) for example in examples]).log_p

    def read_users(self, users: Sequence[Questions]) -> Reading:
        """The same of each user's examples, and of texts; what their prefixes share is run once."""
        packed = [self.pack(part) for user in users for part in self.split(user)]
        choices, of_labels = self._run(packed)
        self._complete(choices, [example for user in users for example in user.rated])
        log_p = self.trie.spell(torch.from_numpy(choices)).numpy()
        branches = [b for user in users for example in user.texts for b in example.branches]
        text = np.repeat(np.arange(len(branches)), [len(branch) for branch in branches])
        likelihood = np.bincount(text, of_labels, minlength=len(branches))
        return Reading(log_p, likelihood.astype(np.float64))

    def _complete(self, choices: Floats, examples: Sequence[Example]) -> None:
        """Where some ratings of an example are read whole, give all of it the mean of those.

        The shares of half stars are a user's habit more than a film's. All are treated alike, since
        films are ranked by what is expected of them.
        """
        start = 0
        for example in examples:
            end = start + len(example.spans.rating)
            whole = self._whole(example)
            if whole is not None:
                further = choices[start:end, len(self.trie.choices[0]) :]
                further[:] = np.log(np.exp(further[whole]).mean(0))
            start = end

    def _whole(self, example: Example) -> Ints | None:
        """Which ratings are read whole, spread evenly; None: all."""
        size, most = len(example.spans.rating), self.config.whole_ratings
        known = ~np.isnan(example.spans.rating)
        if most is None or size <= most or known.any() or len(self.trie.choices) < 2:
            return None
        return np.linspace(0, size - 1, most).astype(np.int64)

    @torch.inference_mode()
    def split(self, questions: Questions) -> list[Questions]:
        """The questions of each row: all, or ratings and texts apart where attention is dense.

        Behind 100 candidates' ratings, their texts would double the pairs of tokens to save a sixth
        of the tokens.
        """
        on_cpu = next(self.model.parameters()).device.type == "cpu"
        sparse = on_cpu and config_of(self.model).model_type == "bloom"
        if sparse or not (questions.rated and questions.texts) or not attends_densely(self.model):
            return [questions]
        return [Questions(questions.rated), Questions((), questions.texts)]

    def pack(self, questions: Questions) -> PackedExample:
        """All that is asked about one user as one sequence."""
        suffixes = self.trie.probe_suffixes
        packed = [
            pack_example(
                truncate_at_ratings(example),
                suffixes,
                (),
                read_unrated=True,
                whole=self._whole(example),
            )
            for example in questions.rated
        ]
        packed += [
            pack_example(_supervise_texts(example), suffixes, (ANSWER,))
            for example in questions.texts
        ]
        prefixes = [example.prefix for example in (*questions.rated, *questions.texts)]
        return share_prefix(packed, prefixes)

    def _run(self, packed: Sequence[PackedExample]) -> tuple[Floats, Floats]:
        """Log-probabilities of choices [ratings, choices] and of labels [labels], in order."""
        ratings = _Places.of([len(example.ratings) for example in packed])
        labels = _Places.of([len(example.labels) for example in packed])
        choices = np.empty((ratings.size, sum(map(len, self.trie.choices))))
        of_labels = np.empty(labels.size)

        def run(rows: Sequence[list[int]]) -> tuple[list[int], Floats, Floats]:
            return sorted(i for row in rows for i in row), *self._read(
                collate(packed, rows, COLUMNS)
            )

        def size(row: list[int]) -> int:
            return sum(len(packed[i]) for i in row)

        for width, rows in _rows_by_width(packed, self.config.pack_length):
            budget, at_once = readable_tokens(self.model, width), self.config.micro_batch_rows
            for chosen, *values in self.limit.run(rows, run, size, at_once, budget):
                choices[ratings.select(chosen)], of_labels[labels.select(chosen)] = values
        return choices, of_labels

    @torch.inference_mode()
    def _read(self, batch: PackedBatch) -> tuple[Floats, Floats]:
        """Log-probabilities of the batch's choices and labels, in one pass."""
        batch = batch.to(next(self.model.parameters()).device)
        hidden, head = hidden_states(self.model, batch), output_layer(self.model)
        choices = self.trie.log_choices(hidden[batch.readout_positions], head)
        slices = zip(batch.label_positions.split(LABELS), batch.labels.split(LABELS), strict=True)
        of_labels = [np.empty(0)]
        for positions, labels in slices if len(batch.labels) else ():
            scores = torch.log_softmax(head(hidden[positions]).float(), -1)
            of_labels.append(scores.gather(1, labels[:, None])[:, 0].double().cpu().numpy())
        return choices.double().cpu().numpy(), np.concatenate(of_labels)


class _Places(NamedTuple):
    """Where the entries of each example are, end to end."""

    counts: Ints
    ends: Ints

    @classmethod
    def of(cls, counts: Sequence[int]) -> "_Places":
        return cls(np.array(counts), np.cumsum(counts))

    @property
    def size(self) -> int:
        return int(self.ends[-1])

    def select(self, examples: Sequence[int]) -> Ints:
        """The places of these examples' entries, one example after the other."""
        ends, counts = self.ends[examples], self.counts[examples]
        return np.concatenate([np.arange(e - n, e) for e, n in zip(ends, counts, strict=True)])


def truncate_at_ratings(example: Example) -> Example:
    """The example with each branch cut before its rating: nothing is read behind it.

    Unchanged where a branch has no span or several (an answer list), or the prefix has some.
    """
    spans = example.spans
    if len(spans.branch) != len(example.branches) or (spans.branch < 0).any():
        return example
    branches = [example.branches[b][:end] for b, end in zip(spans.branch, spans.start, strict=True)]
    return Example(example.prefix, branches, replace(spans, end=spans.start))


def _supervise_texts(example: Example) -> Example:
    """The example with one span per branch, from end to end, without a rating."""
    n = len(example.branches)
    ends = np.array([len(branch) for branch in example.branches])
    unrated = np.full(n, np.nan, np.float32)
    no_prior = np.zeros((n, 0), np.float32)
    spans = SupervisedSpans(
        np.arange(n, dtype=np.int16), np.zeros(n, np.int64), ends, unrated, no_prior
    )
    return replace(example, spans=spans)


def _rows_by_width(
    packed: Sequence[PackedExample], pack_length: int
) -> Iterator[tuple[int, list[list[int]]]]:
    """A width and the rows of examples that round to it, the widest first."""
    by_width: dict[int, list[list[int]]] = {}
    for row in first_fit_decreasing([len(example) for example in packed], pack_length):
        width = -(-sum(len(packed[i]) for i in row) // COLUMNS)
        by_width.setdefault(width, []).append(row)
    for width in sorted(by_width, reverse=True):
        yield width * COLUMNS, by_width[width]
