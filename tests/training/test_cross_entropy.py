"""Cross-entropy in slices has the gradients of torch's own, in short numbers as well."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tasks.training.cross_entropy import cross_entropy

TOKENS = 500
SCALE = 2.0**16  # the first one of GradScaler, infinite in fp16


@pytest.fixture
def batch():
    """Hidden states, an output layer, tokens, and weights of one of 50,000 ratings each."""
    torch.manual_seed(0)
    head = nn.Linear(32, TOKENS)
    hidden = torch.randn(64, 32)
    return hidden, head, torch.randint(TOKENS, (64,)), torch.full((64,), 2e-5)


def gradient(hidden, head, tokens, weights, dtype, compute):
    hidden, head = hidden.to(dtype, copy=True).requires_grad_(), deepcopy(head).to(dtype)
    (compute(hidden, head, tokens, weights) * SCALE).backward()
    return hidden.grad.double() / SCALE


def of_torch(hidden, head, tokens, weights):
    return (F.cross_entropy(head(hidden).float(), tokens, reduction="none") * weights).sum()


@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02), (torch.float16, 0.005)]
)
def test_no_gradient_is_lost_to_underflow_or_overflow(batch, dtype, error):
    exact = gradient(*batch, torch.float32, of_torch)
    found = gradient(*batch, dtype, cross_entropy)
    assert found.isfinite().all()
    assert (found - exact).norm() / exact.norm() < error
