"""Random models and synthetic samples, on which ways of training are compared.

A sample is a user's rated films, one more film, and its rating, which is to be learned. Tokens are
random; a line has as many as with the tokenizers of BLOOM and bloom-mini.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from peft import PeftModel
from transformers import BloomConfig, BloomForCausalLM

from tasks.hub import best_device, best_dtype
from tasks.nn.examples import Examples
from tasks.readout.rating_trie import RatingTrie
from tasks.training.adapter import attach_lora
from tasks.training.config import Lora


@dataclass(frozen=True)
class Shape:
    """A model, its prompts (tokens of a line up to the rating, and of a rating), and a step."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    line: int
    rating: int
    users: int  # of a step
    gradient_checkpointing: bool  # for lack of memory
    films: int = 30
    targets: int = 10


SHAPES = {
    "560m": Shape(250_880, 1024, 24, 16, line=20, rating=3, users=1, gradient_checkpointing=True),
    "1b7": Shape(250_880, 2048, 24, 16, line=20, rating=3, users=16, gradient_checkpointing=False),
    "middle": Shape(32_768, 512, 8, 8, line=20, rating=3, users=4, gradient_checkpointing=False),
    "mini": Shape(8192, 128, 4, 4, line=8, rating=1, users=8, gradient_checkpointing=False),
}
SCHEMA = pa.schema(
    [
        ("example", pa.int64()),
        ("prefix_tokens", pa.list_(pa.int32())),
        ("branch_tokens", pa.list_(pa.list_(pa.int32()))),
        (
            "spans",
            pa.list_(
                pa.struct(
                    [
                        ("branch", pa.int16()),
                        ("start", pa.int32()),
                        ("end", pa.int32()),
                        ("rating", pa.float32()),
                        ("log_prior", pa.list_(pa.float32())),
                    ]
                )
            ),
        ),
    ]
)


def new_model(shape: Shape, folder: Path) -> PeftModel:
    """The original's adapter on random weights, which are kept in the folder and loaded from it.

    So every way begins with what loading a base model leaves in memory, and no more.
    """
    if not (folder / "config.json").exists():
        save_random(shape, folder)
    device = best_device()
    base = BloomForCausalLM.from_pretrained(
        str(folder), dtype=best_dtype(device), device_map={"": device}
    )
    return attach_lora(base.requires_grad_(False), Lora(), seed=0)


def save_random(shape: Shape, folder: Path) -> None:
    """Write random weights and their configuration, as transformers does."""
    torch.manual_seed(0)
    config = BloomConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        use_cache=False,
    )
    device = best_device()
    with device:
        model: Any = BloomForCausalLM(config)
        model.to(best_dtype(device)).save_pretrained(str(folder))


def trie_of(shape: Shape) -> RatingTrie:
    """The ratings 1 to 5 as `samples` spells them."""
    values = range(1, 6)
    return RatingTrie(tuple(map(float, values)), tuple(tuple(_spelt(shape, v)) for v in values))


def samples(shape: Shape, users: int, *, shared: bool, seed: int = 0) -> Examples:
    """So many users' samples: branches of one context, or each with its own copy of it."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(users):
        ratings = draw.integers(1, 6, shape.films + shape.targets).tolist()
        films = draw.integers(100, shape.vocabulary, (len(ratings), shape.line)).tolist()
        lines = [[*film, *_spelt(shape, r), 5] for film, r in zip(films, ratings, strict=True)]
        prefix = [token for line in lines[: shape.films] for token in line]
        targets = list(zip(lines, ratings, strict=True))[shape.films :]
        for branches in [targets] if shared else [[target] for target in targets]:
            span = {"start": shape.line, "end": shape.line + shape.rating, "log_prior": []}
            spans = [span | {"branch": i, "rating": r} for i, (_, r) in enumerate(branches)]
            row = {"prefix_tokens": prefix, "branch_tokens": [b for b, _ in branches]}
            rows.append({"example": len(rows), "spans": spans} | row)
    return Examples.from_table(pa.Table.from_pylist(rows, SCHEMA))


def _spelt(shape: Shape, rating: int) -> list[int]:
    """Its own token, and then those that all ratings end in."""
    return [10 + rating, 20, 21][: shape.rating]
