"""How well a model tells what it has not learnt, taken while it learns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from tasks.model.batches import passes_of
from tasks.model.blocks import ANSWER, TEXT, Layout
from tasks.model.forward import Forward
from tasks.model.objective import Totals, loss
from tasks.model.ratings import RatingTrie
from tasks.model.recipes import Fit, Objective


class Quality(NamedTuple):
    """The objective, and the root mean squared error of the expected rating in stars."""

    loss: float
    rmse: float


def totals_of(layouts: Sequence[Layout]) -> Totals:
    """How much these examples have to learn."""
    kinds = np.concatenate([layout.next_kind for layout in layouts])
    return Totals(
        text=int((kinds == TEXT).sum()),
        answer=int((kinds == ANSWER).sum()),
        ratings=sum(len(layout.ratings) for layout in layouts),
        tokens=len(kinds),
    )


def validate(
    model: nn.Module,
    layouts: Sequence[Layout],
    trie: RatingTrie,
    objective: Objective,
    fit: Fit,
    forward: Forward,
) -> Quality:
    """Over all of these examples; the model is left in training mode."""
    model.eval()
    device = next(model.parameters()).device
    totals, objective_sum, squared = totals_of(layouts), 0.0, 0.0
    with torch.inference_mode():
        for blocks in passes_of(layouts, fit.row_tokens, fit.rows_at_once):
            part = loss(model, blocks.to(device), trie, objective, totals, forward)
            objective_sum += part.total.item()
            error = part.expected.cpu() - blocks.ratings
            squared += error.double().square().sum().item()
    model.train()
    return Quality(objective_sum, (squared / max(totals.ratings, 1)) ** 0.5)
