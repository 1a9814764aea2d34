"""One of several processes that train an adapter together; torchrun starts them."""

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

METADATA = "metadata.json"


def main(job_spec: str) -> None:
    """Join the process group, train by the JSON spec, and leave the metadata in the draft."""
    spec: dict[str, Any] = json.loads(job_spec)
    draft, base, prompts = (Path(spec[name]) for name in ("draft", "base", "prompts"))
    initial = Path(spec["initial_adapter"]) if "initial_adapter" in spec else None
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    metadata = train_lora(
        draft,
        Base(base, base.name),
        Prompts(prompts, prompts.name),
        Train.model_validate(spec["config"]),
        Adapter(initial, initial.name) if initial else None,
    )
    if dist.get_rank() == 0:
        (draft / METADATA).write_text(json.dumps(metadata))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
