"""Encodes each film's line by a frozen language model: what its text says of the film.

The state of a film is the mean over its tokens at a third of the model's depth, before the layers
that choose the next token. Over all films it is standardised and reduced to principal components.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.base.config import Encoder
from tasks.features.affinity import unit_rows
from tasks.hub import load_base
from tasks.progress import track
from tasks.store.artifacts import Base, ValidatedRatings
from tasks.templates import film_texts
from tasks.text_tokenizer import load_tokenizer

BATCH = 32
Floats = NDArray[np.float64]


def write_film_states(
    draft: Path, model: Base, ratings: ValidatedRatings, config: Encoder
) -> dict[str, Any]:
    """Write states.parquet of all films of the catalogue; return the metadata."""
    films = ratings.scan("films").collect()
    states = encode_texts(film_texts(films), model, config.depth)
    reduced = unit_rows(principal_components(states, config.width))
    column = pl.Series("state", reduced.astype(np.float32), dtype=pl.List(pl.Float32))
    films.select("film_id").with_columns(column).write_parquet(draft / "states.parquet")
    return {"model": model.metadata["name"]}


def encode_texts(texts: list[str], base: Base, depth: float) -> Floats:
    """Mean hidden state of each text at a share of the model's depth: [texts, hidden size]."""
    model, tokenizer = load_base(base), load_tokenizer(base)
    tokens = tokenizer(texts, add_special_tokens=False)["input_ids"]
    layer = cut_layers(model.base_model, depth)
    states = np.zeros((len(texts), model.config.hidden_size))
    order = np.argsort([len(row) for row in tokens], kind="stable")
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    for batch in track(batches, "encode", len(batches), "batches"):
        states[batch] = _mean_states(model.base_model, layer, [tokens[i] for i in batch])
    return states


def cut_layers(body: nn.Module, depth: float) -> nn.Module:
    """Drop the layers behind a share of the depth; return the last one that is left."""
    layers = next(m for m in body.modules() if isinstance(m, nn.ModuleList))
    del layers[max(1, round(len(layers) * depth)) :]
    return layers[-1]


@torch.inference_mode()
def _mean_states(body: nn.Module, layer: nn.Module, rows: list[list[int]]) -> Floats:
    found: list[Tensor] = []
    hook = layer.register_forward_hook(
        lambda _, inputs, output: found.append(output[0] if isinstance(output, tuple) else output)
    )
    device, width = next(body.parameters()).device, max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    real = torch.arange(width, device=device) < torch.tensor(
        [[len(r)] for r in rows], device=device
    )
    body(input_ids=tokens, attention_mask=real.long(), use_cache=False)
    hook.remove()
    mean = (found[0].float() * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    return cast(Floats, mean.double().cpu().numpy())


def principal_components(states: Floats, width: int) -> Floats:
    """Standardised states in their largest principal components: [films, at most width]."""
    centred = states - states.mean(0)
    centred /= centred.std(0) + 1e-6
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, ::-1][:, :width]
