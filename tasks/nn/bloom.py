"""Runs a BLOOM model over blocks by fused kernels, where the library knows only plain attention.

The same weights and modules in the same order, so adapters and quantised layers stay in place;
what differs is the attention, which knows who sees whom, and the activation.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import BloomModel
from transformers.models.bloom.modeling_bloom import BloomAttention, BloomBlock, BloomMLP

from tasks.nn.attention import Attend, alibi, flexible, fused, gathered, seen
from tasks.nn.kv_cache import Cache
from tasks.nn.packing import Blocks

Remember = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def hidden_states(model: BloomModel, blocks: Blocks, *, flex: bool = False) -> Tensor:
    """What the model holds after its last layer norm: [rows, width, hidden size]."""
    x = model.word_embeddings_layernorm(model.word_embeddings(blocks.tokens))
    attend = _way(blocks, model.num_heads, x, flex)
    for block in cast(Iterable[BloomBlock], model.h):
        if model.gradient_checkpointing and model.training:
            x = checkpoint(_block, block, x, attend, use_reentrant=False)
        else:
            x = _block(block, x, attend)
    return model.ln_f(x)


def _way(blocks: Blocks, heads: int, x: Tensor, flex: bool) -> Attend:
    if flex:
        return flexible(blocks, heads)
    if x.device.type == "cpu" and torch.is_inference_mode_enabled():
        return gathered(blocks, heads, x.dtype)
    return fused(alibi(blocks.positions, seen(blocks), heads).to(x.dtype))


def extend(model: BloomModel, tokens: Tensor, cache: Cache) -> Tensor:
    """The same for tokens that follow on what the cache holds: [rows, tokens, hidden size]."""
    x = model.word_embeddings_layernorm(model.word_embeddings(tokens))
    attend = fused(alibi(cache.columns[None], cache.visible(), model.num_heads).to(x.dtype))
    for layer, block in enumerate(cast(Iterable[BloomBlock], model.h)):
        x = _block(block, x, attend, partial(cache.update, layer_idx=layer))
    return model.ln_f(x)


def _block(
    block: BloomBlock, x: Tensor, attend: Attend, remember: Remember | None = None
) -> Tensor:
    normed = block.input_layernorm(x)
    keeps_normed = block.apply_residual_connection_post_layernorm
    mixed = _attention(block.self_attention, normed, attend, remember)
    x = _dropped(block, mixed) + (normed if keeps_normed else x)
    normed = block.post_attention_layernorm(x)
    return _dropped(block, _feed_forward(block.mlp, normed)) + (normed if keeps_normed else x)


def _dropped(block: BloomBlock, x: Tensor) -> Tensor:
    return F.dropout(x, block.hidden_dropout, block.training)


def _attention(
    attention: BloomAttention, x: Tensor, attend: Attend, remember: Remember | None = None
) -> Tensor:
    rows, width, size = x.shape
    fused = attention.query_key_value(x).view(rows, width, attention.num_heads, 3, -1)
    query, key, value = fused.permute(3, 0, 2, 1, 4)
    if remember is not None:
        key, value = remember(key, value)
    mixed = attend(query, key, value, attention)
    return attention.dense(mixed.transpose(1, 2).reshape(rows, width, size))


def _feed_forward(mlp: BloomMLP, x: Tensor) -> Tensor:
    # The library's own GELU is the same tanh formula in a dozen elementwise steps.
    return mlp.dense_4h_to_h(F.gelu(mlp.dense_h_to_4h(x), approximate="tanh"))
