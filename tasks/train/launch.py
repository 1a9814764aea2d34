"""Trains one adapter in several processes, on this machine or on a cluster."""

import json
from pathlib import Path
from typing import Any

from tasks.executor import connect_cluster
from tasks.store.artifacts import Adapter, Base, Prompts
from tasks.store.store import Store
from tasks.train.cluster_launch import train_on_cluster
from tasks.train.config import Train
from tasks.train.processes import LOOPBACK, end_meeting, log_file, meeting_file, run_processes
from tasks.train.relayed_log import relayed
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
    file = meeting_file(draft.resolve())
    with relayed(log_file(file)):
        if config.dask_address is None:
            exit_code = _train_here(job_spec, file, config.processes)
        else:
            with connect_cluster(config.dask_address, store, inputs) as cluster:
                exit_code = train_on_cluster(job_spec, file, config.processes, cluster)
    end_meeting(draft)
    if exit_code:
        raise TrainingError(
            f"one of {config.processes} training processes ended with exit code {exit_code}: see "
            "above; a rerun continues from the last checkpoint"
        )
    file = draft / METADATA
    metadata: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    return metadata


def _train_here(job_spec: str, file: Path, processes: int) -> int:
    """Train in processes of this machine, which listen on loopback only; their exit code."""
    with defer_sigterm() as terminated:
        return run_processes(job_spec, file, range(processes), processes, terminated, LOOPBACK)
