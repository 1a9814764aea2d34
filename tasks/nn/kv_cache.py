"""Keys and values of the tokens that each row has so far, so that a row is gone on with cheaply.

Each row fills its own columns from the left without holes, whatever stands in the other rows. So
a row's numbers do not depend on the rows beside it: shapes are filled up to multiples that the
kernels treat alike. MKL adds up products in runs of 192 and treats fewer than four rows by other
kernels, so columns that nobody sees change no bit where their number is a multiple of 192.
"""

import torch
from torch import Tensor

COLUMNS, TOKENS = 192, 4


class Cache:
    """`lengths` [rows] tells how many tokens each row holds. Libraries take it as their own cache.

    A step is: `begin` with the number of new tokens, one forward pass in which every layer calls
    `update`, `finish` with the number of them that were real in each row.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._columns = self.lengths[:, None]
        self._width = 0

    def begin(self, tokens: int) -> None:
        """So many columns behind each row's end are about to be filled."""
        new = torch.arange(tokens, device=self.lengths.device)
        self._columns = self.lengths[:, None] + new
        needed = int(self._columns.max()) + 1
        self._width = -(-needed // COLUMNS) * COLUMNS

    def finish(self, counts: Tensor) -> None:
        """So many of the new tokens [rows] count; the others are overwritten by the next step."""
        self.lengths = self.lengths + counts

    @property
    def columns(self) -> Tensor:
        """The columns that are looked at in this step, numbered from 0."""
        return torch.arange(self._width, device=self.lengths.device)

    def visible(self) -> Tensor:
        """[rows, new tokens, columns]: whether a new token sees a column."""
        return self._columns[:, :, None] >= self.columns

    @property
    def positions(self) -> Tensor:
        """[rows, new tokens]: the place of each new token in its text."""
        return self._columns

    def update(
        self, key: Tensor, value: Tensor, layer_idx: int, *_: object
    ) -> tuple[Tensor, Tensor]:
        """Put in the new keys and values [rows, heads, new tokens, size]; return all of them."""
        if layer_idx == len(self._layers):
            self._layers.append((_empty(key, self._width), _empty(value, self._width)))
        at = self._columns[:, None, :, None].expand_as(key)
        keys, values = self._layers[layer_idx]
        keys = _widened(keys, self._width).scatter_(2, at, key)
        values = _widened(values, self._width).scatter_(2, at, value)
        self._layers[layer_idx] = keys, values
        return keys[:, :, : self._width], values[:, :, : self._width]

    def take(self, rows: Tensor) -> None:
        """Go on with those rows, in that order; a row may be taken more than once."""
        self.lengths = self.lengths[rows]
        self._layers = [(key[rows], value[rows]) for key, value in self._layers]

    def get_seq_length(self, *_: object) -> int:
        """As libraries ask for it; positions and mask are given, so nothing hangs on it."""
        return 0


def _empty(like: Tensor, width: int) -> Tensor:
    return like.new_zeros(like.shape[0], like.shape[1], width, like.shape[3])


def _widened(buffer: Tensor, width: int) -> Tensor:
    """The buffer with at least so many columns, grown by a quarter more than asked."""
    missing = width - buffer.shape[2]
    if missing <= 0:
        return buffer
    return torch.cat([buffer, _empty(buffer, missing + -(-width // 4))], dim=2)
