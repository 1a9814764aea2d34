"""Runs a BLOOM model over blocks by fused kernels, where the library knows only plain attention.

The same weights and modules in the same order, so adapters and quantised layers stay in place;
what differs is the attention, which takes mask and ALiBi as one bias, and the activation.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import BloomModel
from transformers.models.bloom.modeling_bloom import (
    BloomAttention,
    BloomBlock,
    BloomMLP,
    _get_alibi_slopes,
)

from tasks.model.blocks import Blocks
from tasks.model.cache import Cache

Remember = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def hidden_states(model: BloomModel, blocks: Blocks) -> Tensor:
    """What the model holds after its last layer norm: [rows, width, hidden size]."""
    x = model.word_embeddings_layernorm(model.word_embeddings(blocks.tokens))
    bias = alibi(blocks, model.num_heads).to(x.dtype)
    for block in cast(Iterable[BloomBlock], model.h):
        if model.gradient_checkpointing and model.training:
            x = checkpoint(_block, block, x, bias, use_reentrant=False)
        else:
            x = _block(block, x, bias)
    return model.ln_f(x)


def extend(model: BloomModel, tokens: Tensor, cache: Cache) -> Tensor:
    """The same for tokens that follow on what the cache holds: [rows, tokens, hidden size]."""
    x = model.word_embeddings_layernorm(model.word_embeddings(tokens))
    bias = _bias(cache.columns[None], cache.visible(), model.num_heads).to(x.dtype)
    for layer, block in enumerate(cast(Iterable[BloomBlock], model.h)):
        x = _block(block, x, bias, partial(cache.update, layer_idx=layer))
    return model.ln_f(x)


def alibi(blocks: Blocks, heads: int) -> Tensor:
    """What attention adds to its scores: [rows, heads, width, width].

    A reward for nearness (Press et al., arXiv 2108.12409), and minus infinity where a token must
    not look. Tokens that fill a row up see themselves, lest their softmax has nothing to choose
    from.
    """
    visible = blocks.visible()
    visible |= torch.eye(visible.shape[-1], dtype=torch.bool, device=visible.device)
    return _bias(blocks.positions, visible, heads)


def _bias(positions: Tensor, visible: Tensor, heads: int) -> Tensor:
    """From positions [rows, columns] and who sees which column [rows, tokens, columns].

    The place of the column alone is enough: softmax forgets what all columns have in common.
    """
    slopes = _get_alibi_slopes(heads, positions.device)
    reward = slopes[:, None, None] * positions[:, None, None]
    return torch.where(visible[:, None], reward, float("-inf"))


def _block(block: BloomBlock, x: Tensor, bias: Tensor, remember: Remember | None = None) -> Tensor:
    normed = block.input_layernorm(x)
    keeps_normed = block.apply_residual_connection_post_layernorm
    mixed = _attention(block.self_attention, normed, bias, remember)
    x = _dropped(block, mixed) + (normed if keeps_normed else x)
    normed = block.post_attention_layernorm(x)
    return _dropped(block, _feed_forward(block.mlp, normed)) + (normed if keeps_normed else x)


def _dropped(block: BloomBlock, x: Tensor) -> Tensor:
    return F.dropout(x, block.hidden_dropout, block.training)


def _attention(
    attention: BloomAttention, x: Tensor, bias: Tensor, remember: Remember | None = None
) -> Tensor:
    rows, width, size = x.shape
    fused = attention.query_key_value(x).view(rows, width, attention.num_heads, 3, -1)
    query, key, value = fused.permute(3, 0, 2, 1, 4)
    if remember is not None:
        key, value = remember(key, value)
    mixed = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=bias,
        dropout_p=attention.attention_dropout.p if attention.training else 0.0,
        scale=attention.inv_norm_factor,
    )
    return attention.dense(mixed.transpose(1, 2).reshape(rows, width, size))


def _feed_forward(mlp: BloomMLP, x: Tensor) -> Tensor:
    # The library's own GELU is the same tanh formula in a dozen elementwise steps.
    return mlp.dense_4h_to_h(F.gelu(mlp.dense_h_to_4h(x), approximate="tanh"))
