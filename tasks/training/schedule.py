"""AdamW, and a learning rate that warms up and decays."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from tasks.training.config import TrainingConfig


def make_optimiser(weights: Sequence[nn.Parameter], config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW without weight decay on biases and norms."""
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def set_learning_rate(
    optimiser: torch.optim.Optimizer, step: int, steps: int, config: TrainingConfig
) -> None:
    """Set the learning rate of a step, counted from 0."""
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * lr_factor(step, steps, config)


def lr_factor(step: int, steps: int, config: TrainingConfig) -> float:
    """Factor of the peak learning rate: a linear warm-up, then a decay towards 0.

    `warmup` is a share of the steps below 1, and a number of steps from 1 on, which may exceed
    `steps`. transformers' schedules have a learning rate of 0 in the first step, ours has none.
    """
    warmup = config.warmup if config.warmup >= 1 else config.warmup * steps
    if step < warmup:
        return (step + 1) / math.ceil(warmup)
    done = (step - warmup) / max(steps - warmup, 1)
    match config.decay:
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return 1 - done
        case "none":
            return 1.0
