"""A KV cache whose rows have lengths of their own, with the same bits beside any other rows.

Each row fills its columns from the left without gaps. MKL sums products in runs of 192 and uses
other kernels below four rows, so a masked column changes no bit where the number of columns is a
multiple of 192 and that of tokens a multiple of 4.
"""

from typing import NamedTuple

import torch
from torch import Tensor

COLUMNS, TOKENS = 192, 4


class Branches(NamedTuple):
    """Of each new token that branches off a row's text: [rows, tokens].

    It attends to the first `seen` tokens of its row, and to the new ones from `first` to itself.
    """

    seen: Tensor
    first: Tensor


class KVCache:
    """`lengths` [rows] are the tokens of each row. transformers takes it for its own cache.

    A step is `begin_step`, one forward pass in which every layer calls `update`, and `end_step`;
    without the last nothing of it is kept.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._new_columns = self.lengths[:, None]
        self._branches: Branches | None = None
        self._width = 0

    def begin_step(self, tokens: int, branches: Branches | None = None) -> None:
        """Reserve this many columns at the end of each row, for its text to go on or branch off."""
        new = torch.arange(tokens, device=self.lengths.device)
        self._new_columns, self._branches = self.lengths[:, None] + new, branches
        needed = int(self._new_columns.max()) + 1
        self._width = -(-needed // COLUMNS) * COLUMNS

    def end_step(self, counts: Tensor) -> None:
        """Keep the first `counts` [rows] of the new tokens; the next step overwrites the others."""
        self.lengths = self.lengths + counts

    def attention_mask(self) -> Tensor:
        """Whether a new token attends to a column: [rows, new tokens, columns]."""
        columns = torch.arange(self._width, device=self.lengths.device)
        before = self._new_columns[:, :, None] >= columns
        if self._branches is None:
            return before
        first = self.lengths[:, None] + self._branches.first
        return (columns < self._branches.seen[:, :, None]) | (
            before & (columns >= first[:, :, None])
        )

    @property
    def positions(self) -> Tensor:
        """The position of each new token in its text: [rows, new tokens]."""
        if self._branches is None:
            return self._new_columns
        return (
            self._branches.seen + self._new_columns - self.lengths[:, None] - self._branches.first
        )

    @property
    def column_positions(self) -> Tensor:
        """The position of each column's token in its text: [1 or rows, columns]."""
        columns = torch.arange(self._width, device=self.lengths.device)[None]
        if self._branches is None:
            return columns
        return columns.repeat(len(self.lengths), 1).scatter_(1, self._new_columns, self.positions)

    def update(
        self, key: Tensor, value: Tensor, layer_idx: int, *_: object
    ) -> tuple[Tensor, Tensor]:
        """Store the new keys and values [rows, heads, new tokens, size]; return all of them."""
        if layer_idx == len(self._layers):
            self._layers.append((_empty(key, self._width), _empty(value, self._width)))
        columns = self._new_columns[:, None, :, None].expand_as(key)
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
