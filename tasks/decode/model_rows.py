"""What a model has been shown in each of some rows, and what it says may stand next."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.nn.forward import extend, output_layer
from tasks.nn.kv_cache import TOKENS, KVCache

Ints = NDArray[np.integer]
ROWS = 16  # rows are filled up to a multiple of that, so that a row's numbers are its own


class Rows:
    """`logits` [rows, vocabulary] hold the tokens that may be asked for, and no others."""

    def __init__(self, model: nn.Module, vocabulary: Ints, prefixes: Sequence[Ints]) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        head = output_layer(model)
        wanted = torch.from_numpy(vocabulary).to(self.device)
        self.weight = head.weight[wanted]
        self.bias = None if head.bias is None else head.bias[wanted]
        self._place = np.zeros(int(vocabulary[-1]) + 1, np.int64)
        self._place[vocabulary] = np.arange(len(vocabulary))
        self.cache = KVCache(-(-len(prefixes) // ROWS) * ROWS, self.device)
        self.logits = np.zeros((len(prefixes), len(vocabulary)), np.float32)
        self.show(prefixes)

    @torch.inference_mode()
    def show(self, new: Sequence[Sequence[int] | Ints]) -> None:
        """Put these tokens behind each row; a row of none stays as it is."""
        counts = np.zeros(len(self.cache.lengths), np.int64)
        counts[: len(new)] = [len(tokens) for tokens in new]
        width = -(-int(counts.max()) // TOKENS) * TOKENS
        if not width:
            return
        tokens = np.zeros((len(counts), width), np.int64)
        for row, some in enumerate(new):
            tokens[row, : len(some)] = some
        hidden = extend(
            self.model,
            torch.from_numpy(tokens).to(self.device),
            torch.from_numpy(counts).to(self.device),
            self.cache,
        )
        shown = counts[: len(new)] > 0
        self.logits[shown] = self._logits(hidden)[: len(new)][shown]

    def take(self, rows: Sequence[int]) -> None:
        """Go on with those rows, in that order; a row may be taken more than once."""
        if list(rows) == list(range(len(self.logits))):
            return
        self.logits = self.logits[list(rows)]
        filled = [*rows, *[rows[0]] * (-len(rows) % ROWS)]
        self.cache.reorder(torch.tensor(filled, device=self.device))

    def logits_of(self, row: int, tokens: Ints) -> NDArray[np.float32]:
        """Of some tokens of the vocabulary, behind the last one shown in a row."""
        return self.logits[row, self._place[tokens]]

    def _logits(self, hidden: Tensor) -> NDArray[np.float32]:
        return nn.functional.linear(hidden, self.weight, self.bias).float().cpu().numpy()
