"""Shares packed examples out to rows, and stacks the rows into one batch of tensors."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.nn.packing import PackedBatch, PackedExample


def first_fit_decreasing(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Indices of examples in rows of `width` tokens: longest first, each in the first row it fits.

    An example longer than `width` has a row to itself.
    """
    rows: list[list[int]] = []
    free: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        row = next((r for r, left in enumerate(free) if left >= lengths[i]), len(rows))
        if row == len(rows):
            rows.append([])
            free.append(max(width, lengths[i]))
        rows[row].append(i)
        free[row] -= lengths[i]
    return rows


def collate(
    examples: Sequence[PackedExample], rows: Sequence[Sequence[int]], multiple: int = 1
) -> PackedBatch:
    """The rows as tensors, as wide as the longest one, rounded up to a `multiple`."""
    width = max(sum(len(examples[i]) for i in row) for row in rows)
    width = -(-width // multiple) * multiple
    tokens = np.zeros((len(rows), width), np.int64)
    positions = np.zeros((len(rows), width), np.int64)
    visible_ranges = np.zeros((len(rows), width, 3, 2), np.int64)
    starts = {}
    for r, row in enumerate(rows):
        column = 0
        for i in row:
            end = column + len(examples[i])
            tokens[r, column:end] = examples[i].tokens
            positions[r, column:end] = examples[i].positions
            visible_ranges[r, column:end] = examples[i].visible_ranges + column
            starts[i] = r * width + column
            column = end
    placed = [(starts[i], examples[i]) for i in sorted(starts)]
    arrays = (
        tokens,
        positions,
        visible_ranges,
        np.concatenate([example.labels for _, example in placed]),
        np.concatenate([example.label_kinds for _, example in placed]),
        np.concatenate([start + example.label_positions for start, example in placed]),
        np.concatenate([start + example.readout_positions for start, example in placed]),
        np.concatenate([example.ratings for _, example in placed]),
        _stack_priors([example.log_prior for _, example in placed]),
    )
    return PackedBatch(*map(torch.from_numpy, arrays))


def _stack_priors(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """End to end, those without columns as zeros: [ratings, values]."""
    width = max(part.shape[1] for part in parts)
    rows = [part if part.shape[1] else np.zeros((len(part), width), np.float32) for part in parts]
    return np.concatenate(rows)
