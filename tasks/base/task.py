"""Doors: what was rated in, a tokenizer out; tokenizer and prompts in, a base model out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.base.config import BaseChoice
from tasks.base_models import find_base_model
from tasks.store.artifacts import Artifact, Base, Prompts, SplitRatings, Tokenizer, ValidatedRatings
from tasks.store.store import Store

DOWNLOADS = "data/raw"


@task
def build_tokenizer(
    ratings: ValidatedRatings, split: SplitRatings, *, config: BaseChoice, store: Store
) -> Tokenizer:
    """Learn bloom-mini's tokenizer from the train fold, or fetch the chosen model's own."""
    model = find_base_model(config.name)
    recipe: dict[str, Any] = {"model": model.identity}
    parents: list[Artifact] = []
    if model.built_here:
        recipe["vocabulary"] = config.mini.vocabulary
        parents = [ratings, split]

    def write(draft: Path) -> dict[str, Any]:
        if model.built_here:
            from tasks.base.from_scratch import learn_tokenizer

            return learn_tokenizer(draft, ratings, split, config.mini)
        from tasks.base.pretrained import fetch_tokenizer

        return fetch_tokenizer(draft, model, store.root / DOWNLOADS)

    return store.build(Tokenizer, recipe=recipe, parents=parents, write=write)


@task
def build_base(tokenizer: Tokenizer, prompts: Prompts, *, config: BaseChoice, store: Store) -> Base:
    """Train bloom-mini from nothing on the prompts' train fold, or fetch the chosen model."""
    model = find_base_model(config.name)
    recipe: dict[str, Any] = {"model": model.identity, "four_bit": config.four_bit}
    parents: list[Artifact] = [tokenizer]
    if model.built_here:
        recipe["mini"] = config.mini.model_dump(mode="json")
        parents = [tokenizer, prompts]

    def write(draft: Path) -> dict[str, Any]:
        if model.built_here:
            from tasks.base.from_scratch import build_mini

            notes = build_mini(draft, tokenizer, prompts, config.mini)
        else:
            from tasks.base.pretrained import fetch_base

            notes = fetch_base(draft, model, tokenizer, store.root / DOWNLOADS)
        return notes | {"four_bit": config.four_bit}

    return store.build(Base, recipe=recipe, parents=parents, write=write, resumable=True)
