"""How well a model tells what it has not learnt, taken while it learns."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from tasks.nn.packing import Layout
from tasks.training.batches import passes_of
from tasks.training.gradients import Gradients
from tasks.training.objective import totals_of


class Quality(NamedTuple):
    """The objective, and the root mean squared error of the expected rating in stars."""

    loss: float
    rmse: float


def validate(learner: Gradients, layouts: Sequence[Layout]) -> Quality:
    """Over all of these examples; the model is left in training mode."""
    learner.model.eval()
    with torch.inference_mode():
        quality = learner.sparing(lambda: _taken(learner, layouts))
    learner.model.train()
    return quality


def _taken(learner: Gradients, layouts: Sequence[Layout]) -> Quality:
    totals, objective_sum, squared = totals_of(layouts), 0.0, 0.0
    for blocks in passes_of(layouts, learner.fit.pack_length, learner.micro_batch_rows):
        part = learner.loss(blocks, totals)
        objective_sum += part.total.item()
        error = part.expected.cpu() - blocks.ratings
        squared += error.double().square().sum().item()
    return Quality(objective_sum, (squared / max(totals.ratings, 1)) ** 0.5)
