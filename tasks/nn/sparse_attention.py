"""Blocks of queries with the columns they attend to: the others need not be multiplied."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.nn.packing import PackedBatch

BLOCK = 192  # queries: smaller blocks attend to fewer columns, larger ones are multiplied faster


@dataclass(frozen=True)
class QueryBlock:
    """Neighbouring tokens of a row, and the columns [n] that any of them attends to."""

    row: int
    queries: slice
    columns: Tensor
    mask: Tensor  # [queries, n]
    positions: Tensor  # of the columns: [n]


def query_blocks(batch: PackedBatch) -> Iterator[QueryBlock]:
    """All tokens but padding, row by row; a row's blocks do not depend on the other rows."""
    for row, ranges in enumerate(batch.visible_ranges.numpy()):
        tokens = int((ranges[..., 1] > ranges[..., 0]).any(-1).sum())  # padding is at the end
        for first in range(0, tokens, BLOCK):
            queries = slice(first, min(first + BLOCK, tokens))
            starts, ends = ranges[queries, :, 0], ranges[queries, :, 1]
            columns = _covered(starts, ends)
            within = (columns >= starts[..., None]) & (columns < ends[..., None])
            index = torch.from_numpy(columns)
            mask = torch.from_numpy(within.any(1))
            yield QueryBlock(row, queries, index, mask, batch.positions[row, index])


def _covered(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """All columns between the first start and the last end of each kind of range, ascending.

    `starts` and `ends` are [queries, kinds].
    """
    used = ends > starts
    covered = [
        np.arange(starts[used[:, kind], kind].min(), ends[used[:, kind], kind].max())
        for kind in range(starts.shape[1])
        if used[:, kind].any()
    ]
    return np.unique(np.concatenate(covered))
