"""Door: a frozen base and prompts in, an adapter out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.store.store import Store
from tasks.train.config import Train


@task
def train_adapter(base: Base, prompts: Prompts, *, config: Train, store: Store) -> Adapter:
    """Train a LoRA adapter over the frozen base on the prompts' train fold.

    With `warm_start` it begins with the weights of the last adapter of the same base.
    """
    before = last_of(base, prompts, store) if config.warm_start else None

    def write(draft: Path) -> dict[str, Any]:
        if config.processes > 1:
            from tasks.train.launch import train_in_processes

            return train_in_processes(draft, base, prompts, config, before, store)
        from tasks.train.lora import train_lora

        return train_lora(draft, base, prompts, config, before)

    parents = [base, prompts, *([before] if before else [])]
    return store.build(Adapter, recipe=config, parents=parents, write=write, resumable=True)


def last_of(base: Base, prompts: Prompts, store: Store) -> Adapter | None:
    """The adapter of this base that was finished last; not from these prompts.

    So a night that is run again begins where it began before. None where there is no other.
    """
    for manifest in store.manifests(Adapter):
        made_of = [parent["fingerprint"] for parent in manifest["parents"]]
        if base.fingerprint in made_of and prompts.fingerprint not in made_of:
            return store.find(Adapter, manifest["fingerprint"])
    return None
