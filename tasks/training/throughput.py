"""Training throughput, and model FLOPs utilisation (MFU)."""

import json
import time
from pathlib import Path

import torch
from torch import nn

SIDE = 2048  # of the square matrices whose product measures the device


def write_throughput(
    file: Path,
    *,
    model: nn.Module,
    seconds: float,
    tokens: int,
    ratings: int,
    gradient_checkpointing: bool,
) -> None:
    """Write tokens and ratings per second, and FLOP/s: estimated, peak, and their ratio, the MFU.

    The peak is measured by a large matrix product in the model's own precision.
    """
    per_token = flops_per_token(model, gradient_checkpointing=gradient_checkpointing)
    flops = per_token * tokens / seconds
    peak = measure_peak_flops(next(model.parameters()))
    figures = {
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "ratings_per_second": ratings / seconds,
        "flops": flops,
        "peak_flops": peak,
        "mfu": flops / peak,
    }
    file.write_text(json.dumps({name: float(f"{x:.4g}") for name, x in figures.items()}, indent=1))


def flops_per_token(model: nn.Module, *, gradient_checkpointing: bool = False) -> int:
    """FLOPs of the layers' matrices; attention, norms and the output layer are not counted.

    Two per weight for the result, two for the gradient of the input, and two for the gradient of
    a trained weight (Kaplan et al., arXiv 2001.08361, table 1).
    """
    body = [p for name, p in model.named_parameters() if p.ndim == 2 and not _is_vocabulary(name)]
    passes = 6 if gradient_checkpointing else 4
    return sum((passes + 2 * p.requires_grad) * p.numel() for p in body)


def _is_vocabulary(name: str) -> bool:
    """Whether a weight is an embedding or the output layer."""
    return any(part in name for part in ("embed", "lm_head", "wte", "wpe"))


def measure_peak_flops(like: torch.Tensor) -> float:
    """FLOP/s of a square matrix product in the dtype and on the device of `like`, best of five."""
    a = torch.randn(SIDE, SIDE, device=like.device).to(like.dtype)
    best = float("inf")
    for _ in range(5):
        if like.is_cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        product = a @ a
        if like.is_cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
        del product
    return 2 * SIDE**3 / best
