"""Data-parallel training: each process has its share of every step's examples.

Without a process group there is one process, and nothing here has an effect.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0. Process 0 writes files and shows progress."""
    return dist.get_rank() if dist.is_initialized() else 0


def sum_over_processes(values: Sequence[float], device: torch.device) -> list[float]:
    """The sums of each value over all processes."""
    if world_size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return tensor.tolist()


def any_process(value: bool, device: torch.device) -> bool:
    """Whether `value` is true in any process."""
    return sum_over_processes([float(value)], device)[0] > 0


def sum_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Leave in every process the sum of all processes' gradients, sent as one tensor."""
    if world_size() == 1:
        return
    grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    parts = flat.split([grad.numel() for grad in grads])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight)
