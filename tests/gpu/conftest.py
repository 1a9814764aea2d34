"""What only a GPU can show: `make test-gpu`. Skipped, visibly, where there is none."""

import numpy as np
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from tasks.nn.examples import Example
from tests.small_models import make_spans, perturb_weights, seeded  # noqa: F401

SUFFIXES = ((), (7,), (8, 9))


def pytest_collection_modifyitems(items):
    missing = pytest.mark.skip(reason="needs an NVIDIA GPU: `make test-gpu` on a machine with one")
    for item in items:
        if "tests/gpu" in str(item.path) and not torch.cuda.is_available():
            item.add_marker(missing)


@pytest.fixture
def gpu():
    """The first GPU; what a test has allocated there is freed behind it."""
    yield torch.device("cuda", 0)
    torch.cuda.empty_cache()


@pytest.fixture
def bloom(gpu) -> BloomForCausalLM:
    """Six heads of 64, as its attention is compiled for sizes of powers of two."""
    config = BloomConfig(vocab_size=64, hidden_size=384, n_layer=3, n_head=6)
    return perturb_weights(BloomForCausalLM(config)).to(gpu)


@pytest.fixture
def examples():
    """Prefixes of several blocks of 128 with branches that hold a rating, and shorter ones."""
    draw = np.random.default_rng(0)

    def example(prefix: int, branches: int, tokens: int):
        parts = draw.integers(10, 64, (branches, tokens))
        spans = make_spans(*((branch, tokens - 3, tokens, 3.0) for branch in range(branches)))
        return Example(draw.integers(10, 64, prefix), list(parts), spans)

    sizes = [(900, 30, 20), (389, 9, 20), (140, 3, 30), (128, 1, 40), (40, 12, 5), (700, 2, 9)]
    return [example(*size) for size in sizes]
