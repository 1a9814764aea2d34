"""How weights move: AdamW, and a learning rate that warms up and decays."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from tasks.training.config import TrainingConfig


def make_optimiser(weights: Sequence[nn.Parameter], fit: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay."""
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=fit.learning_rate, betas=fit.betas, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, step: int, steps: int, fit: TrainingConfig) -> None:
    """The learning rate of a step, counted from 0."""
    for group in optimiser.param_groups:
        group["lr"] = fit.learning_rate * rate_factor(step, steps, fit)


def rate_factor(step: int, steps: int, fit: TrainingConfig) -> float:
    """What the learning rate is multiplied by: a linear warm-up, then a decay to 0.

    A `warmup` below 1 is a share of all steps, one from 1 on a number of steps, which may be more
    than there are.
    """
    warmup = fit.warmup if fit.warmup >= 1 else fit.warmup * steps
    if step < warmup:
        return (step + 1) / math.ceil(warmup)
    done = (step - warmup) / max(steps - warmup, 1)
    match fit.decay:
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return 1 - done
        case "none":
            return 1.0
