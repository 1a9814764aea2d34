"""ALiBi keeps its slopes where numbers are short: far from a text's start as near it."""

import pytest
import torch

from tasks.nn.attention import alibi_bias

WIDTH, HEADS = 1152, 16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_move_no_attention_of_a_long_text(dtype):
    positions = torch.arange(WIDTH)[None]
    mask = torch.ones(1, WIDTH, WIDTH, dtype=torch.bool).tril()
    long, short = (alibi_bias(positions, mask, HEADS, kind) for kind in (torch.float32, dtype))
    exact, rounded = long.double().softmax(-1), short.double().softmax(-1)
    moved = (exact - rounded).abs().sum(-1) / 2  # total variation
    assert moved.max() < 0.005
    # by positions alone it is another text
    naive = long.to(dtype).double().softmax(-1)
    assert ((exact - naive).abs().sum(-1) / 2).max() > 0.05


def test_in_fp32_a_column_adds_the_same_for_every_token():
    positions, mask = torch.arange(9)[None], torch.ones(1, 9, 9, dtype=torch.bool).tril()
    bias = alibi_bias(positions, mask, 4, torch.float32)
    assert torch.equal(bias[..., -1:, :].expand_as(bias)[mask[:, None].expand_as(bias)],
                       bias[mask[:, None].expand_as(bias)])  # fmt: skip
