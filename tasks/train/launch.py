"""Starts several processes that train one adapter, and waits for them."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.artifacts import Adapter, Base, Prompts
from tasks.model.gradients import TrainingError
from tasks.model.stopping import termination
from tasks.train.config import Train

ROOT = Path(__file__).resolve().parents[2]


def train_in_processes(
    draft: Path, base: Base, prompts: Prompts, config: Train, before: Adapter | None = None
) -> dict[str, Any]:
    """The same as `train_lora`, by `config.processes` of them; they meet on the loopback address.

    Raises TrainingError where one of them fails; each has told why by then.
    """
    with TemporaryDirectory() as folder:
        order, notes = Path(folder) / "order.json", Path(folder) / "notes.json"
        told = {"draft": draft, "base": base.path, "prompts": prompts.path, "notes": notes}
        if before:
            told["before"] = before.path
        absolute = {name: str(path.resolve()) for name, path in told.items()}
        order.write_text(json.dumps(absolute | {"config": config.model_dump(mode="json")}))
        command = [sys.executable, "-m", "torch.distributed.run"]
        command += ["--nproc-per-node", str(config.processes), "--rdzv-backend", "c10d"]
        command += ["--rdzv-endpoint", "127.0.0.1:0", "-m", "tasks.train.worker", str(order)]
        with termination() as asked, subprocess.Popen(command, cwd=ROOT) as workers:
            while workers.poll() is None:
                if asked():
                    workers.terminate()
                try:
                    workers.wait(1)
                except subprocess.TimeoutExpired:
                    continue
        if workers.returncode:
            raise TrainingError(
                f"one of {config.processes} training processes ended with code "
                f"{workers.returncode}: see above; a rerun goes on from the last checkpoint"
            )
        return dict(json.loads(notes.read_text()))
