"""Attention with a mask per token and BLOOM's ALiBi, by torch's kernels."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.models.bloom.modeling_bloom import BloomAttention, _get_alibi_slopes

from tasks.nn.packing import PackedBatch
from tasks.nn.sparse_attention import query_blocks

# Of query, key and value [rows, heads, tokens, head size], and the layer they belong to.
Attention = Callable[[Tensor, Tensor, Tensor, BloomAttention], Tensor]
# With a bias there is no other fused kernel, but cuDNN's, which is compiled for each shape.
KERNELS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def sdpa(bias: Tensor) -> Attention:
    """By scaled_dot_product_attention; `bias` [rows, heads, tokens, columns] is `alibi_bias`."""

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        dropout = layer.attention_dropout.p if layer.training else 0.0
        with sdpa_kernel(KERNELS) if query.is_cuda else nullcontext():
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=bias, dropout_p=dropout, scale=layer.inv_norm_factor
            )

    return attend


def sparse_sdpa(batch: PackedBatch, heads: int, dtype: torch.dtype) -> Attention:
    """By scaled_dot_product_attention over blocks of queries, without columns none attends to.

    A hundred branches of one prefix attend to a third of their row's columns. For inference only:
    padding is left at 0.
    """
    blocks = [
        (block, alibi_bias(block.positions[None], block.mask[None], heads, dtype)[0])
        for block in query_blocks(batch)
    ]

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        mixed = torch.zeros_like(query)
        for block, bias in blocks:
            mixed[block.row, :, block.queries] = F.scaled_dot_product_attention(
                query[block.row, :, block.queries],
                key[block.row][:, block.columns],
                value[block.row][:, block.columns],
                attn_mask=bias,
                scale=layer.inv_norm_factor,
            )
        return mixed

    return attend


def padded_mask(batch: PackedBatch) -> Tensor:
    """The attention mask [rows, width, width], in which padding attends to itself.

    Softmax over no column at all would be NaN.
    """
    mask = batch.attention_mask()
    return mask | torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)


def alibi_bias(positions: Tensor, mask: Tensor, heads: int, dtype: torch.dtype) -> Tensor:
    """What attention adds to its scores: [rows, heads, tokens, columns].

    ALiBi (Press et al., arXiv 2108.12409), from positions [rows, columns], and minus infinity
    outside of mask [rows, tokens, columns]. The column's position alone is enough, because softmax
    is invariant to what all columns of a token share; below fp32, where positions near 1,000 are
    rounded to multiples of 4, it is the distance to the token that is rounded.
    """
    alibi = positions[:, None, None]
    if dtype != torch.float32:
        own = torch.where(mask, positions[:, None], 0).amax(-1)  # no token sees what follows it
        alibi = alibi - own[:, None, :, None]
    slopes = _get_alibi_slopes(heads, positions.device)
    return torch.where(mask[:, None], slopes[:, None, None] * alibi, float("-inf")).to(dtype)
