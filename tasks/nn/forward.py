"""One forward pass over a packed batch for any causal language model."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BloomModel, PreTrainedConfig, PreTrainedModel

from tasks.nn import bloom
from tasks.nn.attention import padded_mask
from tasks.nn.kv_cache import Branches, KVCache
from tasks.nn.packing import PackedBatch

Forward = Callable[[nn.Module, PackedBatch], Tensor]


def hidden_states(model: nn.Module, batch: PackedBatch, kernel: bloom.Kernel = "auto") -> Tensor:
    """The input of the output layer, row after row: [rows * width, hidden size].

    `kernel` is for BLOOM; other models have a dense mask.
    """
    body = _causal(model).base_model
    if isinstance(body, BloomModel):
        hidden = bloom.hidden_states(body, batch, kernel=kernel)
    else:
        hidden = body(
            input_ids=batch.tokens,
            position_ids=batch.positions,
            attention_mask=_additive(padded_mask(batch), cast(torch.dtype, body.dtype)),
            use_cache=False,
        ).last_hidden_state
    return hidden.flatten(0, 1)


def dense_hidden_states(model: nn.Module, batch: PackedBatch) -> Tensor:
    """The same with a mask of all pairs of tokens of a row, on a GPU as well."""
    return hidden_states(model, batch, "dense")


def flex_hidden_states(model: nn.Module, batch: PackedBatch) -> Tensor:
    """The same by FlexAttention. Raises ValueError for other models than BLOOM."""
    body = _causal(model).base_model
    if not isinstance(body, BloomModel):
        raise ValueError(f'attention="flex" is for BLOOM, and this is {type(body).__name__}')
    return bloom.hidden_states(body, batch, kernel="flex").flatten(0, 1)


def plain_hidden_states(model: nn.Module, batch: PackedBatch) -> Tensor:
    """The same by the library's own forward pass, for rows of one text each.

    Raises ValueError where a row holds several examples, branches or probe suffixes.
    """
    columns = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    real = (batch.visible_ranges[..., 1] > batch.visible_ranges[..., 0]).any(-1)
    if (real & (batch.positions != columns)).any():
        raise ValueError("the plain path takes one text per row: set pack_length=1, no branches")
    body = _causal(model).base_model
    hidden = body(input_ids=batch.tokens, attention_mask=real.long(), use_cache=False)
    return hidden.last_hidden_state.flatten(0, 1)


def extend(model: nn.Module, tokens: Tensor, counts: Tensor, cache: KVCache) -> Tensor:
    """The hidden state of the last of each row's new tokens: [rows, hidden size].

    `tokens` [rows, tokens] continue the cached ones; only the first `counts` [rows] of a row are
    real. The state of a row without new tokens is meaningless.
    """
    cache.begin_step(tokens.shape[1])
    hidden = _run_step(model, tokens, cache)
    cache.end_step(counts)
    return hidden[torch.arange(len(tokens)), (counts - 1).clamp(min=0)]


def branch_off(model: nn.Module, tokens: Tensor, branches: Branches, cache: KVCache) -> Tensor:
    """The hidden states of tokens that branch off the cached ones: [rows, tokens, hidden size].

    The cache keeps none of them.
    """
    cache.begin_step(tokens.shape[1], branches)
    return _run_step(model, tokens, cache)


def _run_step(model: nn.Module, tokens: Tensor, cache: KVCache) -> Tensor:
    body = _causal(model).base_model
    if isinstance(body, BloomModel):
        return bloom.extend(body, tokens, cache)
    return body(
        input_ids=tokens,
        position_ids=cache.positions,
        attention_mask=_additive(cache.attention_mask(), cast(torch.dtype, body.dtype)),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state


def output_layer(model: nn.Module) -> nn.Linear:
    """The layer that turns hidden states into logits."""
    return cast(Any, _causal(model)).get_output_embeddings()


def attends_densely(model: nn.Module) -> bool:
    """Whether `hidden_states` stores all pairs of a row's tokens."""
    body = _causal(model).base_model
    return not (isinstance(body, BloomModel) and bloom.runs_flex(body))


def config_of(model: nn.Module) -> PreTrainedConfig:
    """The library's configuration: numbers of layers and heads, sizes."""
    return _causal(model).config


def _causal(model: nn.Module) -> PreTrainedModel:
    """The language model itself, without an adapter's wrapper."""
    unwrap = getattr(model, "get_base_model", None)
    return cast(PreTrainedModel, model if unwrap is None else unwrap())


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask as a summand of attention scores: [rows, 1, tokens, columns]."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~mask, torch.finfo(dtype).min)[:, None]
