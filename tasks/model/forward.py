"""One forward pass over blocks for any causal language model."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BloomModel, PreTrainedModel

from tasks.model import bloom
from tasks.model.blocks import Blocks


def hidden_states(model: nn.Module, blocks: Blocks) -> Tensor:
    """What the model holds before its output layer, row after row: [rows * width, hidden size]."""
    body = _causal(model).base_model
    if isinstance(body, BloomModel):
        hidden = bloom.hidden_states(body, blocks)
    else:
        hidden = body(
            input_ids=blocks.tokens,
            position_ids=blocks.positions,
            attention_mask=_mask(blocks, cast(torch.dtype, body.dtype)),
            use_cache=False,
        ).last_hidden_state
    return hidden.flatten(0, 1)


def output_layer(model: nn.Module) -> nn.Linear:
    """The layer that turns hidden states into logits."""
    return cast(Any, _causal(model)).get_output_embeddings()


def _causal(model: nn.Module) -> PreTrainedModel:
    """The language model itself, without the wrapping of an adapter."""
    unwrap = getattr(model, "get_base_model", None)
    return cast(PreTrainedModel, model if unwrap is None else unwrap())


def _mask(blocks: Blocks, dtype: torch.dtype) -> Tensor:
    """[rows, 1, width, width], to be added to attention scores."""
    visible = blocks.visible()
    visible |= torch.eye(visible.shape[-1], dtype=torch.bool, device=visible.device)
    mask = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
