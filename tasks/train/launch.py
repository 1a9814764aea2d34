"""Starts several processes that train one adapter, here or on a cluster, and waits for them."""

import json
from pathlib import Path
from typing import Any

from tasks.executor import connect_cluster
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.store.store import Store
from tasks.train.cluster_launch import train_elsewhere
from tasks.train.config import Train
from tasks.train.torchrun import torchrun, waited
from tasks.train.worker import NOTES
from tasks.training.gradients import TrainingError
from tasks.training.signals import termination


def train_in_processes(
    draft: Path, base: Base, prompts: Prompts, config: Train, before: Adapter | None, store: Store
) -> dict[str, Any]:
    """The same as `train_lora`, by `config.processes` of them.

    Raises TrainingError where one of them fails, each having told why by then, and ClusterError
    where there are too few workers, or they do not see the draft.
    """
    told = {"draft": draft, "base": base.path, "prompts": prompts.path}
    if before:
        told["before"] = before.path
    paths = {name: str(path.resolve()) for name, path in told.items()}
    order = json.dumps(paths | {"config": config.model_dump(mode="json")})
    if config.dask_address is None:
        failed = _train_here(order, config.processes)
    else:
        inputs = [base, prompts, *([before] if before else [])]
        with connect_cluster(config.dask_address, store, inputs) as cluster:
            failed = train_elsewhere(order, draft.resolve(), config.processes, cluster)
    if failed:
        raise TrainingError(
            f"one of {config.processes} training processes ended with code {failed}: see above; "
            "a rerun goes on from the last checkpoint"
        )
    notes = draft / NOTES
    found: dict[str, Any] = json.loads(notes.read_text())
    notes.unlink()
    return found


def _train_here(order: str, processes: int) -> int:
    """All of them on this machine; they meet on the loopback address. Returns the exit code."""
    where = ["--nproc-per-node", str(processes), "--rdzv-backend", "c10d"]
    where += ["--rdzv-endpoint", "127.0.0.1:0"]
    with termination() as asked, torchrun(order, *where) as launcher:
        while not waited(launcher, 1):
            if asked():
                launcher.terminate()
    return launcher.returncode
