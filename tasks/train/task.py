"""Door: a frozen base and prompts in, an adapter out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Adapter, Base, Prompts
from tasks.store import Store
from tasks.train.config import Train


@task
def train_adapter(base: Base, prompts: Prompts, *, config: Train, store: Store) -> Adapter:
    """Train a LoRA adapter over the frozen base on the prompts' train fold."""

    def write(draft: Path) -> dict[str, Any]:
        if config.processes > 1:
            from tasks.train.launch import train_in_processes

            return train_in_processes(draft, base, prompts, config)
        from tasks.train.lora import train_lora

        return train_lora(draft, base, prompts, config)

    return store.build(Adapter, recipe=config, parents=[base, prompts], write=write, resumable=True)
