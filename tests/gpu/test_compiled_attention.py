"""FlexAttention as compiled for the GPU: values, gradients, precision, shapes, and the way around.

Its peer is the dense path on the same GPU, in fp32.
"""

import os
import subprocess
import sys

import pytest
import torch
from torch._dynamo.utils import counters

from tasks.nn.attention import alibi_bias, sdpa
from tasks.nn.flex_attention import _compiled, flex, runs_here
from tasks.nn.forward import dense_hidden_states, flex_hidden_states, hidden_states, output_layer
from tests.gpu.conftest import SUFFIXES
from tests.small_models import pack_batch

WIDTH, HEADS, SIZE = 1152, 16, 128


def batches(examples, gpu):
    for width in (1, 800, 1900, 4000):
        yield pack_batch(examples, SUFFIXES, width).to(gpu)
    yield pack_batch(examples[1:2], SUFFIXES).to(gpu)


def test_every_token_has_the_hidden_state_of_the_dense_path(bloom, examples, gpu):
    for batch in batches(examples, gpu):
        real = batch.attention_mask().any(-1).flatten()
        with torch.inference_mode():
            dense, auto = dense_hidden_states(bloom, batch), hidden_states(bloom, batch)
            assert torch.equal(auto, flex_hidden_states(bloom, batch))
        assert torch.allclose(dense[real], auto[real], rtol=1e-3, atol=1e-4)


def test_gradients_are_those_of_the_dense_path(bloom, examples, gpu):
    bloom.train()
    for batch in batches(examples, gpu):
        gradients = []
        for forward in (dense_hidden_states, flex_hidden_states):
            bloom.zero_grad()
            logits = output_layer(bloom)(forward(bloom, batch)[batch.label_positions])
            torch.nn.functional.cross_entropy(logits, batch.labels).backward()
            gradients.append([p.grad.clone() for p in bloom.parameters()])
        for dense, compiled in zip(*gradients, strict=True):
            assert (dense - compiled).norm() <= 1e-3 * dense.norm() + 1e-7


def test_few_shapes_are_compiled(bloom, examples, gpu):
    with torch.inference_mode():
        for batch in batches(examples, gpu):
            flex_hidden_states(bloom, batch)
        before = counters["stats"]["unique_graphs"]
        for width in (600, 1000, 1200, 2500, 3000):
            flex_hidden_states(bloom, pack_batch(examples, SUFFIXES, width).to(gpu))
    assert counters["stats"]["unique_graphs"] == before


@pytest.mark.parametrize("kernel", ["flex", "dense"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_move_attention_by_no_more_than_a_hundredth(kernel, dtype, gpu):
    """Total variation against fp32, of the same numbers in full precision, at each token."""
    positions = torch.arange(WIDTH, device=gpu)[None]
    ranges = torch.zeros(1, WIDTH, 3, 2, dtype=torch.long, device=gpu)
    ranges[..., 1, 1] = positions + 1
    mask = torch.ones(1, WIDTH, WIDTH, dtype=torch.bool, device=gpu).tril()
    query, key = torch.randn(2, 1, HEADS, WIDTH, SIZE, device=gpu).to(dtype)
    layer = torch.nn.Identity().eval()
    layer.attention_dropout, layer.inv_norm_factor = torch.nn.Dropout(0.0), SIZE**-0.5
    bias = alibi_bias(positions, mask, HEADS, torch.float32)
    scores = query.float() @ key.float().mT * layer.inv_norm_factor + bias
    exact = scores.softmax(-1)
    way = flex(positions, ranges, HEADS)
    if kernel == "dense":
        way = sdpa(alibi_bias(positions, mask, HEADS, dtype))
    weights = torch.empty_like(exact)
    for first in range(0, WIDTH, SIZE):  # values that name their column give attention's weights
        value = torch.zeros(1, HEADS, WIDTH, SIZE, device=gpu, dtype=dtype)
        value[:, :, range(first, first + SIZE), range(SIZE)] = 1
        weights[..., first : first + SIZE] = way(query, key, value, layer).float()
    moved = (exact - weights).abs().sum(-1) / 2
    print(f"{kernel} {dtype}: {moved.max():.4f} at most, {moved.mean():.5f} on average")
    assert moved.max() <= 0.01


def test_without_a_compiler_attention_is_dense_and_the_log_says_so(tmp_path):
    code = (
        "import logging, torch; logging.basicConfig(format='%(message)s');"
        "from tasks.nn.flex_attention import runs_here;"
        "where = (4, 64, torch.float32, torch.device('cuda'));"
        "torch.set_grad_enabled(False); print(runs_here(*where), runs_here(*where))"
    )
    caches = {
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "i"),
        "TRITON_CACHE_DIR": str(tmp_path / "t"),
    }
    environment = os.environ | caches | {"CC": "/nowhere/gcc", "CXX": "/nowhere/g++"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "False"]
    said = [line for line in ran.stderr.splitlines() if "FlexAttention does not run" in line]
    assert len(said) == 1
    print(said[0])


def test_the_gpu_compiles_it(gpu):
    assert runs_here(HEADS, SIZE, torch.bfloat16, gpu)
    assert callable(_compiled())
