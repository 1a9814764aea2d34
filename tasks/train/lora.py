"""Trains the adapter and leaves it in the draft, with all that is to be known of it."""

from pathlib import Path
from typing import Any

from tasks.artifacts import Adapter, Base, Prompts
from tasks.model import parallel
from tasks.model.adapter import attach, continue_from, parameter_share, save_adapter
from tasks.model.examples import Examples
from tasks.model.learn import learn
from tasks.model.load import load_base, load_tokenizer
from tasks.train.card import model_card
from tasks.train.config import Train


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
        "base": base.notes["name"],
        "trained_parameters": trained,
        "parameters": of,
        "began_with": before and before.fingerprint,
        "best_step": last["step"],
        "validation_rmse": last["validation_rmse"],
    }
    if parallel.rank() == 0:
        save_adapter(model, draft, base.notes["name"])
        (draft / "README.md").write_text(model_card(base, prompts, config, notes, last))
    return notes
