"""FlexAttention equals the dense path, and computes only blocks in which something is visible.

Without compiling, and without gradients: on a CPU the library has neither. tests/gpu has both.
"""

import numpy as np
import pytest
import torch

from tasks.nn.examples import Example
from tasks.nn.flex_attention import BLOCK, block_mask
from tasks.nn.forward import dense_hidden_states, flex_hidden_states
from tests.small_models import make_spans, pack_batch

SUFFIXES = ((), (7,), (8, 9))


@pytest.fixture
def long_examples():
    """A prefix of three blocks with branches, one that ends within a block, one of one block."""
    draw = np.random.default_rng(0)

    def example(prefix: int, branches: int, tokens: int):
        parts = draw.integers(10, 64, (branches, tokens))
        spans = make_spans(*((branch, tokens - 3, tokens, 3.0) for branch in range(branches)))
        return Example(draw.integers(10, 64, prefix), list(parts), spans)

    return [example(3 * BLOCK + 5, 9, 20), example(140, 3, 30), example(BLOCK, 1, 40)]


def batches(examples, long_examples):
    yield pack_batch(examples, SUFFIXES)
    for width in (1, 900, 1500):  # each alone, two in a row, all in one
        yield pack_batch(long_examples, SUFFIXES, width)


def test_flex_attention_equals_the_dense_path_at_every_token(bloom, examples, long_examples):
    for batch in batches(examples, long_examples):
        real = batch.attention_mask().any(-1).flatten()
        with torch.no_grad():
            dense, flex = dense_hidden_states(bloom, batch), flex_hidden_states(bloom, batch)
        assert dense.shape == flex.shape
        assert torch.allclose(dense[real], flex[real], rtol=1e-4, atol=2e-5)
        assert torch.isfinite(flex).all()  # padding as well, which the next layers read


def test_blocks_are_those_in_which_something_is_visible(examples, long_examples):
    for batch in batches(examples, long_examples):
        wide = batch.widen(BLOCK)
        starts, ends = wide.visible_ranges.int().unbind(-1)
        found = block_mask(starts, ends, lambda *_: torch.tensor(True))
        rows, width = wide.tokens.shape
        mask = wide.attention_mask().reshape(rows, width // BLOCK, BLOCK, width // BLOCK, BLOCK)
        assert torch.equal(found.to_dense()[:, 0].bool(), mask.any(4).any(2))
        full = mask.all(4).all(2)
        # those that are full by two ranges together count as partial: they are asked about
        assert (found.full_kv_num_blocks[:, 0] <= full.sum(-1)).all()
        chosen = torch.zeros_like(full)
        for row, block in np.ndindex(full.shape[:2]):
            count = found.full_kv_num_blocks[row, 0, block]
            chosen[row, block, found.full_kv_indices[row, 0, block, :count].long()] = True
        assert not (chosen & ~full).any()
        if width > 512:
            assert chosen.any()


def test_widening_moves_nothing_that_counts_through_rows(bloom, examples):
    batch = pack_batch(examples, SUFFIXES)
    with torch.no_grad():
        hidden = flex_hidden_states(bloom, batch)
    assert len(hidden) == batch.tokens.numel()
    assert batch.tokens.shape[1] % BLOCK


def test_flex_attention_refuses_what_it_cannot_do(bloom, llama, examples):
    batch = pack_batch(examples, SUFFIXES)
    with pytest.raises(ValueError, match="is for BLOOM, and this is LlamaModel"):
        flex_hidden_states(llama, batch)
    bloom.transformer.h[0].self_attention.attention_dropout.p = 0.1
    with pytest.raises(ValueError, match="FlexAttention has no dropout"):
        flex_hidden_states(bloom.train(), batch)
