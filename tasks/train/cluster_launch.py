"""Trains on a Dask cluster: each worker starts one training process of a torch process group."""

import socket
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tasks.executor import Cluster, ClusterError
from tasks.train.torchrun import has_ended, start_torchrun
from tasks.training.signals import defer_sigterm


class Rendezvous(NamedTuple):
    """Where the processes meet: on the machine of the first worker."""

    host: str
    port: int
    processes: int


def train_on_cluster(job_spec: str, draft: Path, processes: int, cluster: Cluster) -> int:
    """Train with one process on each of the first workers; return the first non-zero exit code.

    All processes continue from the checkpoint in the draft, so the store must be on a mount that
    the workers share. Raises ClusterError where it is not, or there are too few workers.
    """
    workers = cluster.workers[:processes]
    if len(workers) < processes:
        raise ClusterError(
            f"train.processes is {processes}, and the cluster has {len(workers)} workers: start "
            "more, or set fewer"
        )
    host = workers[0].split("//")[-1].rsplit(":", 1)[0]
    port = cluster.submit(_free_port, draft, workers[0]).result()
    join = partial(_join, job_spec, draft, Rendezvous(host, port, processes))
    nodes = [cluster.submit(join, node, worker) for node, worker in enumerate(workers)]
    codes: list[int] = []
    with defer_sigterm() as terminated:
        while len(codes) < processes and not any(codes) and not terminated():
            time.sleep(0.5)
            codes = [node.result() for node in nodes if node.done()]
        for node in nodes:
            node.cancel()
    return next(filter(None, codes), 0)


def _join(job_spec: str, draft: Path, rendezvous: Rendezvous, node: int) -> int:
    """Run a worker's training process to its end, or until the task is cancelled; its exit code."""
    if not draft.is_dir():
        raise ClusterError(
            f"a worker on {socket.gethostname()} does not see {draft}: training on several "
            "machines needs the store on a mount that they share"
        )
    options = ["--nnodes", str(rendezvous.processes), "--node-rank", str(node)]
    options += ["--nproc-per-node", "1"]
    options += ["--master-addr", rendezvous.host, "--master-port", str(rendezvous.port)]
    with start_torchrun(job_spec, *options) as launcher:
        while not has_ended(launcher, 1):
            if _is_cancelled():
                launcher.terminate()
    return launcher.returncode


def _is_cancelled() -> bool:
    """Whether nobody waits for this Dask task any more."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def _free_port(_: Path) -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
