"""A batch of growing token sequences: their key-value cache, and the next token's logits."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.nn.forward import branch_off, extend, output_layer
from tasks.nn.kv_cache import TOKENS, Branches, KVCache

Ints = NDArray[np.integer]
ROWS = 16  # batches are padded to a multiple: the bytes of a row do not depend on the others


class Probe(NamedTuple):
    """Tokens behind the first `seen` tokens of a row."""

    seen: int
    tokens: Sequence[int]


class CachedRows:
    """`logits` [rows, vocabulary] of the next token, for the tokens of `vocabulary` only."""

    def __init__(self, model: nn.Module, vocabulary: Ints, prefixes: Sequence[Ints]) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        head = output_layer(model)
        tokens = torch.from_numpy(vocabulary).to(self.device)
        self.weight = head.weight[tokens]
        self.bias = None if head.bias is None else head.bias[tokens]
        self._column = np.zeros(int(vocabulary[-1]) + 1, np.int64)
        self._column[vocabulary] = np.arange(len(vocabulary))
        self.cache = KVCache(-(-len(prefixes) // ROWS) * ROWS, self.device)
        self.logits = np.zeros((len(prefixes), len(vocabulary)), np.float32)
        self.feed(prefixes)

    @torch.inference_mode()
    def feed(self, new: Sequence[Sequence[int] | Ints]) -> None:
        """Append these tokens to each row; a row with none stays as it is."""
        counts = np.zeros(len(self.cache.lengths), np.int64)
        counts[: len(new)] = [len(tokens) for tokens in new]
        width = -(-int(counts.max()) // TOKENS) * TOKENS
        if not width:
            return
        padded = np.zeros((len(counts), width), np.int64)
        for row, tokens in enumerate(new):
            padded[row, : len(tokens)] = tokens
        hidden = extend(
            self.model,
            torch.from_numpy(padded).to(self.device),
            torch.from_numpy(counts).to(self.device),
            self.cache,
        )
        fed = counts[: len(new)] > 0
        self.logits[fed] = self._project(hidden)[: len(new)][fed]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in that order; a row may be kept more than once."""
        if list(rows) == list(range(len(self.logits))):
            return
        self.logits = self.logits[list(rows)]
        padded = [*rows, *[rows[0]] * (-len(rows) % ROWS)]
        self.cache.reorder(torch.tensor(padded, device=self.device))

    def get_logits(self, row: int, tokens: Ints) -> NDArray[np.float32]:
        """The logits of some tokens of the vocabulary."""
        return self.logits[row, self._column[tokens]]

    @torch.inference_mode()
    def read(self, probes: Sequence[Sequence[Probe]]) -> Tensor:
        """The hidden state of each probe's last token, row after row: [probes, hidden size].

        The rows stay as they are.
        """
        sizes = [sum(len(probe.tokens) for probe in own) for own in probes]
        shape = len(self.cache.lengths), -(-max(sizes) // TOKENS) * TOKENS
        tokens, seen = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        first, last = np.tile(np.arange(shape[1]), (shape[0], 1)), list[tuple[int, int]]()
        for row, own in enumerate(probes):
            start = 0
            for probe in own:
                end = start + len(probe.tokens)
                tokens[row, start:end], seen[row, start:end] = probe.tokens, probe.seen
                first[row, start:end] = start
                last.append((row, end - 1))
                start = end
        made = [torch.from_numpy(array).to(self.device) for array in (tokens, seen, first)]
        hidden = branch_off(self.model, made[0], Branches(*made[1:]), self.cache)
        return hidden[tuple(torch.tensor(last, device=self.device).T)]

    def _project(self, hidden: Tensor) -> NDArray[np.float32]:
        return nn.functional.linear(hidden, self.weight, self.bias).float().cpu().numpy()
