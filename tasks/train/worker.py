"""One of several processes that train an adapter together; torch's launcher starts them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.train.config import Train
from tasks.train.lora import train_lora

NOTES = "notes.json"


def main(order: str) -> None:
    """Join the others, train as the order says in JSON, and leave the notes in the draft."""
    told: dict[str, Any] = json.loads(order)
    base, prompts = Path(told["base"]), Path(told["prompts"])
    before = Path(told["before"]) if "before" in told else None
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    notes = train_lora(
        Path(told["draft"]),
        Base(base, base.name),
        Prompts(prompts, prompts.name),
        Train.model_validate(told["config"]),
        Adapter(before, before.name) if before else None,
    )
    if dist.get_rank() == 0:
        (Path(told["draft"]) / NOTES).write_text(json.dumps(notes))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
