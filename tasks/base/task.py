"""Tasks: ratings to a tokenizer; tokenizer and prompts to a base model; films to its states."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.base.config import BaseModelConfig, Encoder
from tasks.base_models import find_base_model
from tasks.store.artifacts import (
    Artifact,
    Base,
    FilmStates,
    Prompts,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store

DOWNLOADS = "data/raw"


@task
def build_tokenizer(
    ratings: ValidatedRatings, split: SplitRatings, *, config: BaseModelConfig, store: Store
) -> Tokenizer:
    """Train bloom-mini's tokenizer on the train fold, or fetch the model's own."""
    model = find_base_model(config.name)
    recipe: dict[str, Any] = {"model": model.identity}
    parents: list[Artifact] = []
    if model.from_scratch:
        recipe["vocabulary"] = config.mini.vocabulary
        parents = [ratings, split]

    def write(draft: Path) -> dict[str, Any]:
        if model.from_scratch:
            from tasks.base.from_scratch import write_tokenizer

            return write_tokenizer(draft, ratings, split, config.mini)
        from tasks.base.pretrained import fetch_tokenizer

        return fetch_tokenizer(draft, model, store.root / DOWNLOADS)

    return store.build(Tokenizer, recipe=recipe, parents=parents, write=write)


@task
def build_base(
    tokenizer: Tokenizer, prompts: Prompts, *, config: BaseModelConfig, store: Store
) -> Base:
    """Train bloom-mini on the prompts' train fold, or fetch the model."""
    model = find_base_model(config.name)
    recipe: dict[str, Any] = {"model": model.identity, "four_bit": config.four_bit}
    parents: list[Artifact] = [tokenizer]
    if model.from_scratch:
        recipe["mini"] = config.mini.model_dump(mode="json")
        parents = [tokenizer, prompts]

    def write(draft: Path) -> dict[str, Any]:
        if model.from_scratch:
            from tasks.base.from_scratch import train_bloom_mini

            metadata = train_bloom_mini(draft, tokenizer, prompts, config.mini)
        else:
            from tasks.base.pretrained import fetch_base

            metadata = fetch_base(draft, model, tokenizer, store.root / DOWNLOADS)
        return metadata | {"four_bit": config.four_bit}

    return store.build(Base, recipe=recipe, parents=parents, write=write, resumable=True)


@task
def encode_films(
    model: Base, ratings: ValidatedRatings, *, config: Encoder, store: Store
) -> FilmStates:
    """Read each film's line by the frozen model, and keep its hidden state."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.base.film_states import write_film_states

        return write_film_states(draft, model, ratings, config)

    recipe = config.model_dump(mode="json", exclude={"name"})
    return store.build(FilmStates, recipe=recipe, parents=[model, ratings], write=write)
