"""Reads the distribution of every asked rating, a user's context being run once for all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tasks.hub import load_adapted
from tasks.nn.examples import Example, Spans
from tasks.nn.forward import hidden_states, output_layer
from tasks.nn.packing import ANSWER, Blocks, Layout, fill_rows, lay_out, stack
from tasks.readout.config import Inference
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Adapter, Base

Floats = NDArray[np.float64]
T = TypeVar("T")
R = TypeVar("R")
TOKENS = 1024  # whose logits over the whole vocabulary are held at once
COLUMNS = 64  # rows are as wide as a multiple of that, so that a row's numbers are its own


@dataclass(frozen=True)
class Reader:
    """A model, the way its ratings are spelt, and how examples are batched."""

    model: nn.Module
    trie: RatingTrie
    config: Inference

    def read(self, examples: Sequence[Example]) -> Floats:
        """Log-probabilities [ratings, values], in the order of the examples and their spans."""
        layouts = [lay_out(open_ended(e), self.trie.probes, (), unknown=True) for e in examples]
        ends = np.cumsum([len(layout.ratings) for layout in layouts])
        found = np.empty((int(ends[-1]), len(self.trie.scale)))
        for rows in _alike(layouts, self.config.pack_length):
            for part, log_p in self._passes(layouts, rows, self._pass):
                at = [np.arange(ends[i] - len(layouts[i].ratings), ends[i]) for i in sorted(part)]
                found[np.concatenate(at)] = log_p
        return found

    def read_texts(self, examples: Sequence[Example]) -> Floats:
        """Log-probability of every branch as a text, in the order of the examples."""
        whole = [as_text(example) for example in examples]
        layouts = [lay_out(example, ((),), (ANSWER,)) for example in whole]
        lengths = np.array([len(branch) for e in examples for branch in e.branches])
        ends = np.cumsum([len(layout.next_at) for layout in layouts])
        found = np.empty(int(ends[-1]))
        for rows in _alike(layouts, self.config.pack_length):
            for part, log_p in self._passes(layouts, rows, self._text_pass):
                at = [np.arange(ends[i] - len(layouts[i].next_at), ends[i]) for i in sorted(part)]
                found[np.concatenate(at)] = log_p
        return np.add.reduceat(found, np.cumsum(lengths) - lengths)

    def _passes(
        self,
        layouts: Sequence[Layout],
        rows: Sequence[list[int]],
        read: Callable[[Blocks], Floats],
    ) -> Iterator[tuple[list[int], Floats]]:
        """The examples of one forward pass after the other, with what was read of them."""

        def run(some: Sequence[list[int]]) -> tuple[list[int], Floats]:
            return [i for row in some for i in row], read(stack(layouts, some, COLUMNS))

        for first in range(0, len(rows), self.config.micro_batch_rows):
            yield from halving(rows[first : first + self.config.micro_batch_rows], run)

    @torch.inference_mode()
    def _pass(self, blocks: Blocks) -> Floats:
        blocks = blocks.to(next(self.model.parameters()).device)
        hidden = hidden_states(self.model, blocks)[blocks.probes]
        log_p = self.trie.log_probabilities(hidden, output_layer(self.model))
        return log_p.double().cpu().numpy()

    @torch.inference_mode()
    def _text_pass(self, blocks: Blocks) -> Floats:
        blocks = blocks.to(next(self.model.parameters()).device)
        hidden, head = hidden_states(self.model, blocks), output_layer(self.model)
        found = []
        for at, token in zip(
            blocks.next_at.split(TOKENS), blocks.next_token.split(TOKENS), strict=True
        ):
            log_p = torch.log_softmax(head(hidden[at]).float(), -1)
            found.append(log_p.gather(1, token[:, None])[:, 0].double().cpu().numpy())
        return np.concatenate(found)


def load_merged(base: Base, adapter: Adapter) -> nn.Module:
    """The base with its adapter, added into the weights where they are exact enough for that.

    In fp32 the sum is the same to rounding and the forward pass takes a fifth less.
    """
    model = cast(Any, load_adapted(base, adapter))
    return model.merge_and_unload() if model.dtype == torch.float32 else model


def open_ended(example: Example) -> Example:
    """Branches that end in a rating, without it and what follows: nobody reads on from there.

    Branches with more than one span (an answer list) stay whole.
    """
    spans = example.spans
    if len(spans.branch) != len(example.branches) or (spans.branch < 0).any():
        return example
    branches = [example.branches[b][:end] for b, end in zip(spans.branch, spans.start, strict=True)]
    return Example(example.prefix, branches, replace(spans, end=spans.start))


def as_text(example: Example) -> Example:
    """The same with nothing but the text of its branches to be told, from end to end."""
    n = len(example.branches)
    ends = np.array([len(branch) for branch in example.branches])
    nothing = np.full(n, np.nan, np.float32)
    spans = Spans(np.arange(n, dtype=np.int16), np.zeros(n, np.int64), ends, nothing)
    return replace(example, spans=spans)


def halving(items: Sequence[T], run: Callable[[Sequence[T]], R]) -> Iterator[R]:
    """What `run` makes of all items; where memory runs out, of either half by itself."""
    try:
        yield run(items)
    except (RuntimeError, MemoryError) as error:
        if len(items) == 1 or not _is_memory(error):
            raise
        middle = len(items) // 2
        yield from halving(items[:middle], run)
        yield from halving(items[middle:], run)


def _is_memory(error: Exception) -> bool:
    """CUDA and Python have errors of their own; torch's allocator on a CPU speaks in words only."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "not enough memory" in str(error)


def _alike(layouts: Sequence[Layout], pack_length: int) -> Iterator[list[list[int]]]:
    """Rows of examples, those of one rounded width together, the widest first."""
    by_width: dict[int, list[list[int]]] = {}
    for row in fill_rows([len(layout) for layout in layouts], pack_length):
        width = -(-sum(len(layouts[i]) for i in row) // COLUMNS)
        by_width.setdefault(width, []).append(row)
    for width in sorted(by_width, reverse=True):
        yield by_width[width]
