"""A KV cache whose rows have lengths of their own, with the same bits beside any other rows.

Each row fills its columns from the left without gaps. MKL sums products in runs of 192 and uses
other kernels below four rows, so a masked column changes no bit where the number of columns is a
multiple of 192 and that of tokens a multiple of 4.
"""

import torch
from torch import Tensor

COLUMNS, TOKENS = 192, 4


class KVCache:
    """`lengths` [rows] are the tokens of each row. transformers takes it for its own cache.

    A step is `begin_step`, one forward pass in which every layer calls `update`, and `end_step`.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._positions = self.lengths[:, None]
        self._width = 0

    def begin_step(self, tokens: int) -> None:
        """Reserve this many columns at the end of each row."""
        new = torch.arange(tokens, device=self.lengths.device)
        self._positions = self.lengths[:, None] + new
        needed = int(self._positions.max()) + 1
        self._width = -(-needed // COLUMNS) * COLUMNS

    def end_step(self, counts: Tensor) -> None:
        """Keep the first `counts` [rows] of the new tokens; the next step overwrites the others."""
        self.lengths = self.lengths + counts

    @property
    def columns(self) -> Tensor:
        """The columns of this step, counted from 0: [columns]."""
        return torch.arange(self._width, device=self.lengths.device)

    def attention_mask(self) -> Tensor:
        """Whether a new token attends to a column: [rows, new tokens, columns]."""
        return self._positions[:, :, None] >= self.columns

    @property
    def positions(self) -> Tensor:
        """The position of each new token in its text: [rows, new tokens]."""
        return self._positions

    def update(
        self, key: Tensor, value: Tensor, layer_idx: int, *_: object
    ) -> tuple[Tensor, Tensor]:
        """Store the new keys and values [rows, heads, new tokens, size]; return all of them."""
        if layer_idx == len(self._layers):
            self._layers.append((_empty(key, self._width), _empty(value, self._width)))
        columns = self._positions[:, None, :, None].expand_as(key)
        keys, values = self._layers[layer_idx]
        keys = _grow(keys, self._width).scatter_(2, columns, key)
        values = _grow(values, self._width).scatter_(2, columns, value)
        self._layers[layer_idx] = keys, values
        return keys[:, :, : self._width], values[:, :, : self._width]

    def reorder(self, rows: Tensor) -> None:
        """Continue with these rows, in this order; a row may be repeated or left out."""
        self.lengths = self.lengths[rows]
        self._layers = [(key[rows], value[rows]) for key, value in self._layers]

    def get_seq_length(self, *_: object) -> int:
        """For transformers, which uses it only where positions and mask are not given."""
        return 0


def _empty(like: Tensor, width: int) -> Tensor:
    return like.new_zeros(like.shape[0], like.shape[1], width, like.shape[3])


def _grow(buffer: Tensor, width: int) -> Tensor:
    """The buffer with at least `width` columns, and a quarter more where it has to grow."""
    missing = width - buffer.shape[2]
    if missing <= 0:
        return buffer
    return torch.cat([buffer, _empty(buffer, missing + -(-width // 4))], dim=2)
