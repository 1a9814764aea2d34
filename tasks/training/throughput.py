"""How fast training went, and what share of the device's arithmetic it used."""

import json
import time
from pathlib import Path

import torch
from torch import nn

SIDE = 2048  # of the square matrices that tell what the device can do


def write_speed(
    file: Path, *, model: nn.Module, seconds: float, tokens: int, ratings: int, recomputed: bool
) -> None:
    """Write tokens and ratings a second, and FLOPs: estimated, and the share of what is possible.

    What is possible is measured by one large matrix product in the model's own precision.
    """
    flops = flops_per_token(model, recomputed=recomputed) * tokens / seconds
    possible = device_flops(next(model.parameters()))
    figures = {
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "ratings_per_second": ratings / seconds,
        "flops": flops,
        "possible_flops": possible,
        "share_of_possible": flops / possible,
    }
    file.write_text(json.dumps({name: float(f"{x:.4g}") for name, x in figures.items()}, indent=1))


def flops_per_token(model: nn.Module, *, recomputed: bool = False) -> int:
    """Of the layers' matrices; attention, norms and the output layer come on top.

    Two a weight for the result, two for the gradient of the input, two more for the gradient of
    a weight that is trained (Kaplan et al., arXiv 2001.08361, table 1).
    """
    body = [p for name, p in model.named_parameters() if p.ndim == 2 and not _outer(name)]
    passes = 6 if recomputed else 4
    return sum((passes + 2 * p.requires_grad) * p.numel() for p in body)


def _outer(name: str) -> bool:
    """Whether it is an embedding or the output layer."""
    return any(part in name for part in ("embed", "lm_head", "wte", "wpe"))


def device_flops(like: torch.Tensor) -> float:
    """FLOPs a second of a square matrix product, the best of five."""
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
