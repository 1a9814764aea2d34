"""Loads what reads: a base with its adapter, and the spelling of ratings."""

from typing import Any, cast

import torch
from torch import nn

from tasks.hub import best_device, best_dtype, load_adapted
from tasks.readout.config import Inference
from tasks.readout.inference import Reader
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.text_tokenizer import load_tokenizer


def load_reader(adapter: Adapter, base: Base, prompts: Prompts, config: Inference) -> Reader:
    """Load the model and the spelling of ratings in the prompts' wording."""
    metadata = prompts.metadata
    trie = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    )
    return Reader(load_merged(base, adapter), trie, config)


def load_merged(base: Base, adapter: Adapter) -> nn.Module:
    """The base with its adapter, merged into the weights in fp32 and rounded once.

    The sum is the same up to rounding, and a forward pass takes a fifth less time. Weights of four
    bits are not merged: rounding to these would lose the adapter.
    """
    if base.metadata["four_bit"]:
        return load_adapted(base, adapter)
    device = best_device()
    exact = load_adapted(base, adapter, device=torch.device("cpu"))
    merged = cast(Any, exact).merge_and_unload()
    return cast(nn.Module, merged.to(device, best_dtype(device)))
