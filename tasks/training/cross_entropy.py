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
            torch.zeros_like(x, dtype=torch.float32) if needed and x is not None else None
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
                _add(gradients, part, d, w[part, None], hidden, weight)
        ctx.save_for_backward(*gradients)
        ctx.dtypes = [None if x is None else x.dtype for x in (hidden, weight, bias)]
        return total

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        *upstream: Tensor,
    ) -> tuple[Tensor | None, ...]:
        # Scaled before they are rounded: in fp16 most would be 0, and a first scale infinite.
        scaled = (
            None if g is None else (g * upstream[0]).to(dtype)
            for g, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        )
        return (*scaled, None, None)


def _add(
    gradients: list[Tensor | None],
    part: slice,
    d: Tensor,
    w: Tensor,
    hidden: Tensor,
    weight: Tensor,
) -> None:
    """Add a slice, whose logits have the gradient `d * w`, to `gradients`, but where None.

    Products are in the precision of the model; weights, which may be less than fp16 can hold, are
    multiplied in fp32.
    """
    of_hidden, of_weight, of_bias = gradients
    exact = hidden.dtype == torch.float32
    weighted = d * w
    if of_hidden is not None and exact:
        of_hidden[part] = weighted @ weight
    elif of_hidden is not None:
        of_hidden[part] = (d.to(hidden.dtype) @ weight).float() * w
    if of_weight is not None:
        of_weight += weighted.T @ hidden[part].float()
    if of_bias is not None:
        of_bias += weighted.sum(0)
