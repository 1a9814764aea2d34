"""Which examples an optimiser step learns from, and how they share rows and forward passes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.nn.packing import Blocks, Layout, fill_rows, stack
from tasks.training.config import TrainingConfig

Ints = NDArray[np.int64]


def plan_steps(lengths: Ints, fit: TrainingConfig) -> list[Ints]:
    """The examples of every step: each pass in an order of its own, cut by count of tokens.

    `lengths` are the examples' tokens. The same seed gives the same steps.
    """
    passes = int(np.ceil(fit.epochs))
    order = np.concatenate(
        [np.random.default_rng([fit.seed, i]).permutation(len(lengths)) for i in range(passes)]
    )
    before = np.cumsum(lengths[order]) - lengths[order]
    order = order[before < fit.epochs * lengths.sum()]
    step = before[: len(order)] // fit.tokens_per_step
    if fit.examples_per_step:
        step = np.arange(len(order)) // fit.examples_per_step
    steps = np.split(order, np.flatnonzero(np.diff(step)) + 1)
    return steps[: fit.max_steps]


def passes_of(
    layouts: Sequence[Layout], pack_length: int, micro_batch_rows: int
) -> Iterator[Blocks]:
    """The layouts in rows, so many rows at a time, rows of about the same width together."""
    lengths = [len(layout) for layout in layouts]
    rows = fill_rows(lengths, pack_length)
    rows.sort(key=lambda row: -sum(lengths[i] for i in row))
    for first in range(0, len(rows), micro_batch_rows):
        yield stack(layouts, rows[first : first + micro_batch_rows])
