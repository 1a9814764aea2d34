"""Attention with a mask of its own for every token and BLOOM's ALiBi, by the library's kernels."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from transformers.models.bloom.modeling_bloom import BloomAttention, _get_alibi_slopes

from tasks.nn.packing import Blocks
from tasks.nn.sparse_attention import looks_of

# Query, key and value [rows, heads, tokens, head size], and the layer they are of.
Attend = Callable[[Tensor, Tensor, Tensor, BloomAttention], Tensor]


def fused(bias: Tensor) -> Attend:
    """By scaled_dot_product_attention, mask and ALiBi in one [rows, heads, tokens, columns]."""

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        dropout = layer.attention_dropout.p if layer.training else 0.0
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, dropout_p=dropout, scale=layer.inv_norm_factor
        )

    return attend


def flexible(blocks: Blocks, heads: int) -> Attend:
    """By FlexAttention, which computes mask and ALiBi as it goes: no sum is ever laid out.

    Compiled on a GPU; on a CPU the library takes its slow path, without gradients. It knows no
    dropout within attention: raises ValueError where the model has some while it trains.
    """
    visible, positions = seen(blocks), blocks.positions
    slopes = _get_alibi_slopes(heads, positions.device)
    rows, width = positions.shape
    mask = create_block_mask(
        lambda row, head, token, column: visible[row, token, column],
        rows, None, width, width, device=str(positions.device),
    )  # fmt: skip

    def score(value: Tensor, row: Tensor, head: Tensor, token: Tensor, column: Tensor) -> Tensor:
        return value + slopes[head] * positions[row, column]

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        if layer.training and layer.attention_dropout.p:
            raise ValueError('FlexAttention knows no dropout: set train.fit.attention to "fused"')
        kernel = _compiled() if query.is_cuda else cast(Any, flex_attention)
        scale = layer.inv_norm_factor
        return kernel(query, key, value, score_mod=score, block_mask=mask, scale=scale)

    return attend


def gathered(blocks: Blocks, heads: int, dtype: torch.dtype) -> Attend:
    """By scaled_dot_product_attention, some tokens at a time, without columns nobody looks at.

    A hundred branches behind one prefix look at a third of what stands in their row. For reading
    only: a token that sees nothing is left at nothing.
    """
    slopes = _get_alibi_slopes(heads, blocks.positions.device)[:, None, None]
    looks = [
        (look, torch.where(look.visible, slopes * look.positions, float("-inf")).to(dtype))
        for look in looks_of(blocks)
    ]

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        mixed = torch.zeros_like(query)
        for look, bias in looks:
            mixed[look.row, :, look.queries] = F.scaled_dot_product_attention(
                query[look.row, :, look.queries],
                key[look.row][:, look.columns],
                value[look.row][:, look.columns],
                attn_mask=bias,
                scale=layer.inv_norm_factor,
            )
        return mixed

    return attend


def seen(blocks: Blocks) -> Tensor:
    """[rows, width, width]: who looks at whom.

    Tokens that fill a row up see themselves, lest their softmax has nothing to choose from.
    """
    visible = blocks.visible()
    return visible | torch.eye(visible.shape[-1], dtype=torch.bool, device=visible.device)


def alibi(positions: Tensor, visible: Tensor, heads: int) -> Tensor:
    """What attention adds to its scores: [rows, heads, tokens, columns].

    From positions [rows, columns] and who sees which column [rows, tokens, columns]: a reward for
    nearness (Press et al., arXiv 2108.12409), minus infinity where a token must not look. The
    place of the column alone is enough: softmax forgets what all columns have in common.
    """
    slopes = _get_alibi_slopes(heads, positions.device)
    reward = slopes[:, None, None] * positions[:, None, None]
    return torch.where(visible[:, None], reward, float("-inf"))


@cache
def _compiled() -> Callable[..., Tensor]:
    return cast(Callable[..., Tensor], torch.compile(flex_attention))
