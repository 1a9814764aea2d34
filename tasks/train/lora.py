"""Trains the adapter and writes it into the draft."""

from pathlib import Path
from typing import Any

from tasks.hub import load_base
from tasks.nn.examples import Examples
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.text_tokenizer import load_tokenizer
from tasks.train.card import model_card
from tasks.train.config import Train
from tasks.training import distributed
from tasks.training.adapter import attach_lora, count_parameters, load_weights, save_adapter
from tasks.training.train_model import train_model


def train_lora(
    draft: Path,
    base: Base,
    prompts: Prompts,
    config: Train,
    initial_adapter: Adapter | None = None,
) -> dict[str, Any]:
    """Write the adapter, its training history and its model card; return its metadata.

    Training starts with the weights of `initial_adapter` where there is one.
    """
    model = attach_lora(load_base(base), config.lora, seed=config.fit.seed)
    if initial_adapter:
        load_weights(model, initial_adapter)
    best = train_model(
        model,
        load_tokenizer(base),
        prompts,
        Examples.read(prompts, "train", config.fit.kinds),
        objective=config.objective,
        config=config.fit,
        draft=draft,
        stage="train",
    )
    trained, total = count_parameters(model)
    metadata = {
        "base": base.metadata["name"],
        "trained_parameters": trained,
        "parameters": total,
        "initial_adapter": initial_adapter and initial_adapter.fingerprint,
        "best_step": best["step"],
        "validation_rmse": best["validation_rmse"],
    }
    if distributed.rank() == 0:
        save_adapter(model, draft, base.metadata["name"])
        (draft / "README.md").write_text(model_card(base, prompts, config, metadata, best))
    return metadata
