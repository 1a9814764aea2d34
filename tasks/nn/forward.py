"""One forward pass over blocks for any causal language model."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BloomModel, PreTrainedModel

from tasks.nn import bloom
from tasks.nn.kv_cache import Cache
from tasks.nn.packing import Blocks

Forward = Callable[[nn.Module, Blocks], Tensor]


def plain_hidden_states(model: nn.Module, blocks: Blocks) -> Tensor:
    """The same as `hidden_states` by the library's own path, for rows of one text each.

    Raises ValueError where a row holds several examples, branches or twigs.
    """
    columns = torch.arange(blocks.tokens.shape[1], device=blocks.tokens.device)
    real = (blocks.sees[..., 1] > blocks.sees[..., 0]).any(-1)
    if (real & (blocks.positions != columns)).any():
        raise ValueError("the plain path takes one text a row: use pack_length=1 and no branches")
    body = _causal(model).base_model
    hidden = body(input_ids=blocks.tokens, attention_mask=real.long(), use_cache=False)
    return hidden.last_hidden_state.flatten(0, 1)


def hidden_states(model: nn.Module, blocks: Blocks) -> Tensor:
    """What the model holds before its output layer, row after row: [rows * width, hidden size]."""
    body = _causal(model).base_model
    if isinstance(body, BloomModel):
        hidden = bloom.hidden_states(body, blocks)
    else:
        visible = blocks.visible()
        # Tokens that fill a row up see themselves, lest their softmax has nothing to choose from.
        visible |= torch.eye(visible.shape[-1], dtype=torch.bool, device=visible.device)
        hidden = body(
            input_ids=blocks.tokens,
            position_ids=blocks.positions,
            attention_mask=_mask(visible, cast(torch.dtype, body.dtype)),
            use_cache=False,
        ).last_hidden_state
    return hidden.flatten(0, 1)


def flex_hidden_states(model: nn.Module, blocks: Blocks) -> Tensor:
    """The same as `hidden_states` by FlexAttention. Raises ValueError for other than BLOOM."""
    body = _causal(model).base_model
    if not isinstance(body, BloomModel):
        raise ValueError(f'attention="flex" is for BLOOM, and this is {type(body).__name__}')
    return bloom.hidden_states(body, blocks, flex=True).flatten(0, 1)


def extend(model: nn.Module, tokens: Tensor, counts: Tensor, cache: Cache) -> Tensor:
    """What the model holds after the last of each row's new tokens: [rows, hidden size].

    `tokens` [rows, tokens] stand behind what the cache holds of each row; only the first `counts`
    [rows] of them are real. A row of none gives what nobody should read.
    """
    body = _causal(model).base_model
    cache.begin(tokens.shape[1])
    if isinstance(body, BloomModel):
        hidden = bloom.extend(body, tokens, cache)
    else:
        hidden = body(
            input_ids=tokens,
            position_ids=cache.positions,
            attention_mask=_mask(cache.visible(), cast(torch.dtype, body.dtype)),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
    cache.finish(counts)
    return hidden[torch.arange(len(tokens)), (counts - 1).clamp(min=0)]


def output_layer(model: nn.Module) -> nn.Linear:
    """The layer that turns hidden states into logits."""
    return cast(Any, _causal(model)).get_output_embeddings()


def _causal(model: nn.Module) -> PreTrainedModel:
    """The language model itself, without the wrapping of an adapter."""
    unwrap = getattr(model, "get_base_model", None)
    return cast(PreTrainedModel, model if unwrap is None else unwrap())


def _mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """[rows, 1, tokens, columns], to be added to attention scores."""
    mask = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
