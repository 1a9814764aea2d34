"""Trains on a cluster: each of its workers starts one training process, and they meet there."""

import socket
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tasks.executor import Cluster, ClusterError
from tasks.train.torchrun import torchrun, waited
from tasks.training.signals import termination


class Meeting(NamedTuple):
    """Where the processes meet: on the first one's machine."""

    host: str
    port: int
    processes: int


def train_elsewhere(order: str, draft: Path, processes: int, cluster: Cluster) -> int:
    """Have so many workers train as ordered; return the first exit code that is not 0, or 0.

    The first process writes to the draft, and all go on from what lies there: so the store must be
    on a mount that the workers share. Raises ClusterError where it is not, or they are too few.
    """
    workers = cluster.workers[:processes]
    if len(workers) < processes:
        raise ClusterError(
            f"train.processes is {processes}, and the cluster has {len(workers)} workers: start "
            "more, or set fewer"
        )
    host = workers[0].split("//")[-1].rsplit(":", 1)[0]
    meeting = Meeting(host, cluster.submit(_free_port, draft, workers[0]).result(), processes)
    join = partial(_join, order, draft, meeting)
    nodes = [cluster.submit(join, node, worker) for node, worker in enumerate(workers)]
    codes: list[int] = []
    with termination() as asked:
        while len(codes) < processes and not any(codes) and not asked():
            time.sleep(0.5)
            codes = [node.result() for node in nodes if node.done()]
        for node in nodes:
            node.cancel()
    return next(filter(None, codes), 0)


def _join(order: str, draft: Path, meeting: Meeting, node: int) -> int:
    """One worker's process, until it ends or nobody wants it any more; its exit code."""
    if not draft.is_dir():
        raise ClusterError(
            f"a worker on {socket.gethostname()} does not see {draft}: training on several "
            "machines needs the store on a mount that they share"
        )
    where = ["--nnodes", str(meeting.processes), "--node-rank", str(node)]
    where += ["--nproc-per-node", "1"]
    where += ["--master-addr", meeting.host, "--master-port", str(meeting.port)]
    with torchrun(order, *where) as launcher:
        while not waited(launcher, 1):
            if not _wanted():
                launcher.terminate()
    return launcher.returncode


def _wanted() -> bool:
    """Whether the night that this worker works for still waits for it."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state != "cancelled"


def _free_port(_: Path) -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
