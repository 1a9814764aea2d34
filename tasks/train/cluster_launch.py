"""Trains on a Dask cluster: each worker starts one training process of a torch process group."""

import socket
import time
from functools import partial
from pathlib import Path

from tasks.executor import Cluster, ClusterError
from tasks.train.processes import run_processes
from tasks.training.signals import defer_sigterm


def train_on_cluster(job_spec: str, file: Path, processes: int, cluster: Cluster) -> int:
    """Train with one process on each of the first workers; return the first non-zero exit code.

    All processes meet in `file` and continue from the checkpoint in the same draft, so the store
    must be on a mount that the workers share. Raises ClusterError where it is not, or there are too
    few workers.
    """
    workers = cluster.workers[:processes]
    if len(workers) < processes:
        raise ClusterError(
            f"train.processes is {processes}, and the cluster has {len(workers)} workers: start "
            "more, or set fewer"
        )
    join = partial(_join, job_spec, file, processes)
    nodes = [cluster.submit(join, node, worker) for node, worker in enumerate(workers)]
    codes: list[int] = []
    with defer_sigterm() as terminated:
        while len(codes) < processes and not any(codes) and not terminated():
            time.sleep(0.5)
            codes = [node.result() for node in nodes if node.done()]
        for node in nodes:
            node.cancel()
    return next(filter(None, codes), 0)


def _join(job_spec: str, file: Path, processes: int, rank: int) -> int:
    """Run a worker's training process to its end, or until the task is cancelled; its exit code."""
    if not file.parent.is_dir():
        raise ClusterError(
            f"a worker on {socket.gethostname()} does not see {file.parents[1]}: training on "
            "several machines needs the store on a mount that they share"
        )
    return run_processes(job_spec, file, [rank], processes, _is_cancelled, {})


def _is_cancelled() -> bool:
    """Whether nobody waits for this Dask task any more."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"
