"""Reads rating distributions and text likelihoods; a user's context is run once for all films."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tasks.hub import best_device, best_dtype, load_adapted
from tasks.nn.collate import collate, first_fit_decreasing
from tasks.nn.examples import Example, SupervisedSpans
from tasks.nn.forward import hidden_states, output_layer
from tasks.nn.free_memory import readable_tokens
from tasks.nn.out_of_memory import MemoryLimit
from tasks.nn.packing import ANSWER, PackedBatch, PackedExample, pack_example
from tasks.readout.config import Inference
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.text_tokenizer import load_tokenizer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LABELS = 1024  # per slice of logits over the whole vocabulary
COLUMNS = 64  # widths are rounded up to it, so that a row's bits do not depend on the other rows


@dataclass(frozen=True)
class Reader:
    """A model, the spelling of its ratings, and how examples are batched."""

    model: nn.Module
    trie: RatingTrie
    config: Inference
    limit: MemoryLimit = field(default_factory=MemoryLimit)

    def read(self, examples: Sequence[Example]) -> Floats:
        """Log-probabilities [ratings, values], in the order of the examples and their spans."""
        suffixes = self.trie.probe_suffixes
        packed = [
            pack_example(truncate_at_ratings(example), suffixes, (), read_unrated=True)
            for example in examples
        ]
        counts = [len(example.ratings) for example in packed]
        return self._run(packed, counts, self._rating_log_p, (len(self.trie.scale),))

    def score_texts(self, examples: Sequence[Example]) -> Floats:
        """Log-probability of each branch as a text, in the order of the examples: [branches]."""
        packed = [pack_example(_supervise_texts(e), ((),), (ANSWER,)) for e in examples]
        counts = [len(example.labels) for example in packed]
        log_p = self._run(packed, counts, self._label_log_p)
        lengths = np.array([len(branch) for e in examples for branch in e.branches])
        return np.add.reduceat(log_p, np.cumsum(lengths) - lengths)

    def _run(
        self,
        packed: Sequence[PackedExample],
        counts: Sequence[int],
        read: Callable[[PackedBatch], Floats],
        shape: tuple[int, ...] = (),
    ) -> Floats:
        """What is read of all examples, [sum of counts, *shape], in their order."""
        ends = np.cumsum(counts)
        result = np.empty((int(ends[-1]), *shape))

        def run(rows: Sequence[list[int]]) -> tuple[Ints, Floats]:
            chosen = sorted(i for row in rows for i in row)
            index = np.concatenate([np.arange(ends[i] - counts[i], ends[i]) for i in chosen])
            return index, read(collate(packed, rows, COLUMNS))

        def size(row: list[int]) -> int:
            return sum(len(packed[i]) for i in row)

        for width, rows in _rows_by_width(packed, self.config.pack_length):
            budget, at_once = readable_tokens(self.model, width), self.config.micro_batch_rows
            for index, values in self.limit.run(rows, run, size, at_once, budget):
                result[index] = values
        return result

    @torch.inference_mode()
    def _rating_log_p(self, batch: PackedBatch) -> Floats:
        batch = batch.to(next(self.model.parameters()).device)
        hidden = hidden_states(self.model, batch)[batch.readout_positions]
        log_p = self.trie.log_probabilities(hidden, output_layer(self.model))
        return log_p.double().cpu().numpy()

    @torch.inference_mode()
    def _label_log_p(self, batch: PackedBatch) -> Floats:
        batch = batch.to(next(self.model.parameters()).device)
        hidden, head = hidden_states(self.model, batch), output_layer(self.model)
        slices = zip(batch.label_positions.split(LABELS), batch.labels.split(LABELS), strict=True)
        log_ps = []
        for positions, labels in slices:
            log_p = torch.log_softmax(head(hidden[positions]).float(), -1)
            log_ps.append(log_p.gather(1, labels[:, None])[:, 0].double().cpu().numpy())
        return np.concatenate(log_ps)


def load_reader(adapter: Adapter, base: Base, prompts: Prompts, config: Inference) -> Reader:
    """Load the model and the spelling of ratings in the prompts' wording."""
    metadata = prompts.metadata
    trie = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    )
    return Reader(load_merged(base, adapter), trie, config)


def load_merged(base: Base, adapter: Adapter) -> nn.Module:
    """The base with its adapter, merged into the weights in fp32 and rounded once.

    The sum is the same up to rounding, and a forward pass takes a fifth less time. Weights of four
    bits are not merged: rounding to these would lose the adapter.
    """
    if base.metadata["four_bit"]:
        return load_adapted(base, adapter)
    device = best_device()
    exact = load_adapted(base, adapter, device=torch.device("cpu"))
    merged = cast(Any, exact).merge_and_unload()
    return cast(nn.Module, merged.to(device, best_dtype(device)))


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
