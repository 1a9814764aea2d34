"""Task: a frozen base and prompts in, an adapter out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.train.initial import find_initial


@task
def train_adapter(base: Base, prompts: Prompts, *, config: Train, store: Store) -> Adapter:
    """Train a LoRA adapter of the frozen base on the prompts' train fold.

    With `warm_start` training starts with the weights of an adapter of earlier data.
    """
    initial = find_initial(base, prompts, store) if config.warm_start else None

    def write(draft: Path) -> dict[str, Any]:
        if config.processes > 1:
            from tasks.train.launch import train_in_processes

            return train_in_processes(draft, base, prompts, config, initial, store)
        from tasks.train.lora import train_lora

        return train_lora(draft, base, prompts, config, initial)

    parents = [base, prompts, *([initial] if initial else [])]
    return store.build(Adapter, recipe=config, parents=parents, write=write, resumable=True)
