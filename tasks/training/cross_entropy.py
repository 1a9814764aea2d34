"""Cross-entropy of an output layer in slices, so that its logits never exist all at once.

With BLOOM's vocabulary of 250,880 tokens, 1,000 positions have 1 GB of logits, and 1 GB of their
gradient. Here the gradient of each slice is computed with its logits, so nothing runs twice.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOGITS = 1 << 23  # per slice: 32 MiB in fp32, three times that with gradients


def cross_entropy(hidden: Tensor, head: nn.Linear, tokens: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of cross-entropies in nats, a scalar in fp32.

    hidden [n, width] is the input of the output layer; tokens and weights are [n].
    """
    return cast(Any, _CrossEntropy).apply(hidden, head.weight, head.bias, tokens, weights)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        w: Tensor,
    ) -> Tensor:
        gradients = [
            torch.zeros_like(x) if needed and x is not None else None
            for x, needed in zip((hidden, weight, bias), ctx.needs_input_grad[:3], strict=True)
        ]
        total = torch.zeros((), device=hidden.device)
        step = max(1, LOGITS // len(weight))
        for part in map(slice, range(0, len(hidden), step), range(step, len(hidden) + step, step)):
            logits = F.linear(hidden[part], weight, bias).float()
            log_p = logits.log_softmax(-1)
            index = tokens[part, None]
            total -= (log_p.gather(1, index)[:, 0] * w[part]).sum()
            if any(gradient is not None for gradient in gradients):
                d = log_p.exp_().scatter_add_(
                    1, index, torch.full_like(index, -1, dtype=log_p.dtype)
                )
                _add(gradients, part, d.mul_(w[part, None]).to(hidden.dtype), hidden, weight)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        *upstream: Tensor,
    ) -> tuple[Tensor | None, ...]:
        scaled = (None if g is None else g * upstream[0].to(g.dtype) for g in ctx.saved_tensors)
        return (*scaled, None, None)


def _add(
    gradients: list[Tensor | None], part: slice, d: Tensor, hidden: Tensor, weight: Tensor
) -> None:
    """Add a slice, whose logits have the gradient `d`, to `gradients`, but where None."""
    of_hidden, of_weight, of_bias = gradients
    if of_hidden is not None:
        of_hidden[part] = d @ weight
    if of_weight is not None:
        of_weight += d.T @ hidden[part]
    if of_bias is not None:
        of_bias += d.sum(0)
