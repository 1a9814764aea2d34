"""Which columns some neighbouring tokens of a row look at: the others need not be multiplied."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.nn.packing import Blocks

QUERIES = 192  # tokens at once: fewer look at fewer columns, more are multiplied faster


@dataclass(frozen=True)
class Look:
    """Some tokens of a row, and the columns [n] that any of them looks at."""

    row: int
    queries: slice
    columns: Tensor
    visible: Tensor  # [queries, n]
    positions: Tensor  # of the columns: [n]


def looks_of(blocks: Blocks) -> Iterator[Look]:
    """All tokens that look at something, row after row, whatever stands in the other rows."""
    for row, sees in enumerate(blocks.sees.numpy()):
        real = int((sees[..., 1] > sees[..., 0]).any(-1).sum())  # what fills a row up is behind
        for first in range(0, real, QUERIES):
            queries = slice(first, min(first + QUERIES, real))
            starts, ends = sees[queries, :, 0], sees[queries, :, 1]
            some = ends > starts
            columns = np.unique(
                np.concatenate(
                    [
                        np.arange(starts[some[:, i], i].min(), ends[some[:, i], i].max())
                        for i in range(starts.shape[1])
                        if some[:, i].any()
                    ]
                )
            )
            within = (columns >= starts[..., None]) & (columns < ends[..., None])
            at = torch.from_numpy(columns)
            visible = torch.from_numpy(within.any(1))
            yield Look(row, queries, at, visible, blocks.positions[row, at])
