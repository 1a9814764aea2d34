"""Plans the examples of each optimiser step, and packs them into forward passes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.nn.collate import collate, first_fit_decreasing
from tasks.nn.packing import PackedBatch, PackedExample
from tasks.training.config import TrainingConfig

Ints = NDArray[np.int64]


def plan_steps(lengths: Ints, config: TrainingConfig) -> list[Ints]:
    """Indices of the examples of every step: shuffled anew in each epoch, cut by tokens.

    `lengths` [examples] are in tokens. The same seed gives the same steps.
    """
    epochs = int(np.ceil(config.epochs))
    order = np.concatenate(
        [np.random.default_rng([config.seed, i]).permutation(len(lengths)) for i in range(epochs)]
    )
    before = np.cumsum(lengths[order]) - lengths[order]
    order = order[before < config.epochs * lengths.sum()]
    step = before[: len(order)] // config.tokens_per_step
    if config.examples_per_step:
        step = np.arange(len(order)) // config.examples_per_step
    steps = np.split(order, np.flatnonzero(np.diff(step)) + 1)
    return steps[: config.max_steps]


def micro_batches(
    packed: Sequence[PackedExample], pack_length: int, rows_per_batch: int
) -> Iterator[PackedBatch]:
    """The examples in rows of `pack_length` tokens, the widest rows first."""
    lengths = [len(example) for example in packed]
    rows = first_fit_decreasing(lengths, pack_length)
    rows.sort(key=lambda row: -sum(lengths[i] for i in row))
    for first in range(0, len(rows), rows_per_batch):
        yield collate(packed, rows[first : first + rows_per_batch])
