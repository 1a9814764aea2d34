"""Estimates how many tokens a forward pass can hold, from the memory that is free on a GPU."""

import math

import torch
from torch import nn

from tasks.nn.forward import attends_densely, config_of, output_layer

SHARE = 0.7  # of what is free: the rest is for what is not counted, and for fragments
ACTIVATIONS = 16  # numbers of the hidden size for each token at a layer's peak; measured: 12
BIAS = 8  # bytes of a pair of tokens and a head, while a dense bias is made; measured: 7.8
LOGITS = 3 * 1024 * 250_880 * 4  # bytes: of a slice of labels over a vocabulary
GROWTH = 3  # copies of keys and values while their buffers grow or change places


@torch.inference_mode()
def readable_tokens(model: nn.Module, width: int) -> float:
    """How many tokens, in rows of `width`, one pass without gradients holds; inf on a CPU."""
    weight, config = output_layer(model).weight, config_of(model)
    if not weight.is_cuda:
        return math.inf
    a_token = ACTIVATIONS * config.hidden_size * weight.itemsize
    if attends_densely(model):
        a_token += config.num_attention_heads * width * BIAS
    return (_free_bytes(weight.device) - LOGITS) / a_token


@torch.inference_mode()
def decodable_tokens(model: nn.Module, width: int) -> float:
    """How many tokens of rows that grow up to `width` a KV cache holds; inf on a CPU."""
    weight, config = output_layer(model).weight, config_of(model)
    if not weight.is_cuda:
        return math.inf
    cached = 2 * config.num_hidden_layers * config.hidden_size * weight.itemsize * GROWTH
    bias = config.num_attention_heads * width * BIAS  # of the prefixes
    a_token = cached + bias + ACTIVATIONS * config.hidden_size * weight.itemsize
    return _free_bytes(weight.device) / a_token


def _free_bytes(device: torch.device) -> float:
    """What the driver has, and what torch's allocator holds without a tensor in it."""
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return SHARE * (free + held)
