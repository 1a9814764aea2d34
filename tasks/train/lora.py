"""Trains the adapter and leaves it in the draft, with all that is to be known of it."""

from pathlib import Path
from typing import Any

from tasks.hub import load_base, load_tokenizer
from tasks.nn.examples import Examples
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.train.card import model_card
from tasks.train.config import Train
from tasks.training import distributed
from tasks.training.adapter import attach, continue_from, parameter_share, save_adapter
from tasks.training.train_model import learn


def train_lora(
    draft: Path, base: Base, prompts: Prompts, config: Train, before: Adapter | None = None
) -> dict[str, Any]:
    """Write the adapter's weights and configuration, its history and its card; return notes.

    It begins with the weights of `before` where there is one.
    """
    model = attach(load_base(base), config.lora, seed=config.fit.seed)
    if before:
        continue_from(model, before)
    last = learn(
        model,
        load_tokenizer(base),
        prompts,
        Examples.read(prompts, "train", config.fit.kinds),
        objective=config.objective,
        fit=config.fit,
        draft=draft,
        stage="train",
    )
    trained, of = parameter_share(model)
    notes = {
        "base": base.metadata["name"],
        "trained_parameters": trained,
        "parameters": of,
        "began_with": before and before.fingerprint,
        "best_step": last["step"],
        "validation_rmse": last["validation_rmse"],
    }
    if distributed.rank() == 0:
        save_adapter(model, draft, base.metadata["name"])
        (draft / "README.md").write_text(model_card(base, prompts, config, notes, last))
    return notes
