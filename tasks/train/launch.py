"""Trains one adapter in several processes, on this machine or on a cluster."""

import json
from pathlib import Path
from typing import Any

from tasks.executor import connect_cluster
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.store.store import Store
from tasks.train.cluster_launch import train_on_cluster
from tasks.train.config import Train
from tasks.train.torchrun import has_ended, start_torchrun
from tasks.train.worker import METADATA
from tasks.training.gradients import TrainingError
from tasks.training.signals import defer_sigterm


def train_in_processes(
    draft: Path,
    base: Base,
    prompts: Prompts,
    config: Train,
    initial_adapter: Adapter | None,
    store: Store,
) -> dict[str, Any]:
    """The same as `train_lora`, by `config.processes` processes.

    Raises TrainingError where one of them fails, whose own message is printed before, and
    ClusterError where workers are too few or do not reach the draft.
    """
    inputs = [base, prompts, *([initial_adapter] if initial_adapter else [])]
    names = ("base", "prompts", "initial_adapter")
    paths = {name: str(i.path.resolve()) for name, i in zip(names, inputs, strict=False)}
    spec = paths | {"draft": str(draft.resolve()), "config": config.model_dump(mode="json")}
    job_spec = json.dumps(spec)
    if config.dask_address is None:
        exit_code = _train_here(job_spec, config.processes)
    else:
        with connect_cluster(config.dask_address, store, inputs) as cluster:
            exit_code = train_on_cluster(job_spec, draft.resolve(), config.processes, cluster)
    if exit_code:
        raise TrainingError(
            f"one of {config.processes} training processes ended with exit code {exit_code}: see "
            "above; a rerun continues from the last checkpoint"
        )
    file = draft / METADATA
    metadata: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    return metadata


def _train_here(job_spec: str, processes: int) -> int:
    """Train in processes of this machine, which meet on the loopback address; their exit code."""
    options = ["--nproc-per-node", str(processes), "--rdzv-backend", "c10d"]
    options += ["--rdzv-endpoint", "127.0.0.1:0"]
    with defer_sigterm() as terminated, start_torchrun(job_spec, *options) as launcher:
        while not has_ended(launcher, 1):
            if terminated():
                launcher.terminate()
    return launcher.returncode
