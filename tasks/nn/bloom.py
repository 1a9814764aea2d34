"""Runs a BLOOM model on packed batches by fused kernels; transformers has eager attention only.

Weights, modules and their order are the library's, so adapters and quantised layers stay in
place. Attention (by a mask per token) and the activation are ours.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import BloomModel
from transformers.models.bloom.modeling_bloom import BloomAttention, BloomBlock, BloomMLP

from tasks.nn.attention import Attention, alibi_bias, padded_mask, sdpa, sparse_sdpa
from tasks.nn.flex_attention import BLOCK, flex, runs_here
from tasks.nn.kv_cache import KVCache
from tasks.nn.packing import PackedBatch

# FlexAttention, a bias of all pairs, or the first where it runs.
Kernel = Literal["auto", "flex", "dense"]
CacheUpdate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def hidden_states(model: BloomModel, batch: PackedBatch, *, kernel: Kernel = "auto") -> Tensor:
    """The output of the last layer norm: [rows, width, hidden size]."""
    width = batch.tokens.shape[1]
    if batch.tokens.is_cuda or kernel == "flex":
        batch = batch.widen(BLOCK)
    x = model.word_embeddings_layernorm(model.word_embeddings(batch.tokens))
    attend = _attention(model, batch, x, kernel)
    for block in cast(Iterable[BloomBlock], model.h):
        if model.gradient_checkpointing and model.training:
            x = checkpoint(_run_block, block, x, attend, use_reentrant=False)
        else:
            x = _run_block(block, x, attend)
    return model.ln_f(x)[:, :width]


def _attention(model: BloomModel, batch: PackedBatch, x: Tensor, kernel: Kernel) -> Attention:
    heads = model.num_heads
    if kernel == "flex" or (kernel == "auto" and runs_flex(model)):
        return flex(batch.positions, batch.visible_ranges, heads)
    if x.device.type == "cpu" and torch.is_inference_mode_enabled():
        return sparse_sdpa(batch, heads, x.dtype)
    return sdpa(alibi_bias(batch.positions, padded_mask(batch), heads, x.dtype))


def runs_flex(model: BloomModel) -> bool:
    """Whether it attends by FlexAttention, in training where gradients are on."""
    drops = model.training and model.config.attention_dropout > 0  # which FlexAttention cannot
    weight, heads = model.word_embeddings.weight, model.num_heads
    return not drops and runs_here(heads, model.embed_dim // heads, weight.dtype, weight.device)


def extend(model: BloomModel, tokens: Tensor, cache: KVCache) -> Tensor:
    """The same for the tokens of the cache's step: [rows, tokens, hidden size]."""
    x = model.word_embeddings_layernorm(model.word_embeddings(tokens))
    mask, positions = cache.attention_mask(), cache.column_positions
    attend = sdpa(alibi_bias(positions, mask, model.num_heads, x.dtype))
    for layer, block in enumerate(cast(Iterable[BloomBlock], model.h)):
        x = _run_block(block, x, attend, partial(cache.update, layer_idx=layer))
    return model.ln_f(x)


def _run_block(
    block: BloomBlock, x: Tensor, attend: Attention, update: CacheUpdate | None = None
) -> Tensor:
    normed = block.input_layernorm(x)
    residual_is_normed = block.apply_residual_connection_post_layernorm
    mixed = _self_attention(block.self_attention, normed, attend, update)
    x = _dropout(block, mixed) + (normed if residual_is_normed else x)
    normed = block.post_attention_layernorm(x)
    return _dropout(block, _feed_forward(block.mlp, normed)) + (normed if residual_is_normed else x)


def _dropout(block: BloomBlock, x: Tensor) -> Tensor:
    return F.dropout(x, block.hidden_dropout, block.training)


def _self_attention(
    layer: BloomAttention, x: Tensor, attend: Attention, update: CacheUpdate | None = None
) -> Tensor:
    rows, width, size = x.shape
    fused = layer.query_key_value(x).view(rows, width, layer.num_heads, 3, -1)
    query, key, value = fused.permute(3, 0, 2, 1, 4)
    if update is not None:
        key, value = update(key, value)
    mixed = attend(query, key, value, layer)
    return layer.dense(mixed.transpose(1, 2).reshape(rows, width, size))


def _feed_forward(mlp: BloomMLP, x: Tensor) -> Tensor:
    # The library's own GELU is the same tanh formula in a dozen elementwise steps.
    return mlp.dense_4h_to_h(F.gelu(mlp.dense_h_to_4h(x), approximate="tanh"))
