"""Validation metrics of a model in training."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from tasks.nn.packing import PackedExample
from tasks.training.batches import micro_batches
from tasks.training.gradients import GradientComputer
from tasks.training.objective import count_targets


class ValidationMetrics(NamedTuple):
    """The objective, and the RMSE of the expected rating in stars."""

    loss: float
    rmse: float


def validate(computer: GradientComputer, packed: Sequence[PackedExample]) -> ValidationMetrics:
    """The metrics of all these examples; the model is left in training mode."""
    computer.model.eval()
    with torch.inference_mode():
        metrics = computer.retry_in_less_memory(lambda: _measure(computer, packed))
    computer.model.train()
    return metrics


def _measure(computer: GradientComputer, packed: Sequence[PackedExample]) -> ValidationMetrics:
    counts, total, squared = count_targets(packed), 0.0, 0.0
    for batch in micro_batches(packed, computer.config.pack_length, computer.micro_batch_rows):
        loss = computer.loss(batch, counts)
        total += loss.total.item()
        error = loss.expected.cpu() - batch.ratings
        squared += error.double().square().sum().item()
    return ValidationMetrics(total, (squared / max(counts.ratings, 1)) ** 0.5)
