"""Several processes that train one model, each on its share of every step's examples.

Without a process group there is one process, and everything here does nothing.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0. The first one writes files and shows progress."""
    return dist.get_rank() if dist.is_initialized() else 0


def summed(values: Sequence[float], device: torch.device) -> list[float]:
    """The sums over all processes."""
    if size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return tensor.tolist()


def any_of(value: bool, device: torch.device) -> bool:
    """Whether it is so in any process."""
    return summed([float(value)], device)[0] > 0


def sum_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Leave in every process the sum of all processes' gradients, sent as one piece."""
    if size() == 1:
        return
    grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    parts = flat.split([grad.numel() for grad in grads])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight)
