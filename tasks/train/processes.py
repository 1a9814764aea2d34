"""Starts training processes that meet in a file, and ends all of them when one fails.

A file is private to its user. torchrun's store listens on all of a machine's addresses, asks
nobody who they are, and unpickles what it receives.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
GRACE = 30.0  # seconds to finish and save a step
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}  # where both listen


class Member(NamedTuple):
    """One of `processes` that meet in `file`; it uses GPU `device` and ends with `parent`."""

    file: str
    processes: int
    rank: int
    device: int
    parent: int


def meeting_file(draft: Path) -> Path:
    """A new name in a folder of the draft; what a killed run left there is deleted."""
    folder = draft / ".rendezvous"
    end_meeting(draft)
    folder.mkdir(mode=0o700)
    return folder / secrets.token_hex(8)


def log_file(meeting: str | Path) -> Path:
    """Where process 0 of those that meet in a file writes its log."""
    return Path(meeting).with_suffix(".log")


def end_meeting(draft: Path) -> None:
    """Delete the folder: it is no part of the artifact."""
    shutil.rmtree(draft / ".rendezvous", ignore_errors=True)


def run_processes(
    job_spec: str,
    file: Path,
    ranks: Sequence[int],
    processes: int,
    stopped: Callable[[], bool],
    variables: dict[str, str],
) -> int:
    """Run the processes of these ranks, of so many in all, until they end or `stopped` is true.

    Returns the first non-zero exit code, else 0. When one fails or all are to stop, the others get
    SIGTERM, and SIGKILL after 30 s.
    """
    # Sums depend on the number of threads: one each, on any number of cores.
    environment = {"OMP_NUM_THREADS": "1"} | dict(os.environ) | variables
    code = 0
    with ExitStack() as stack:
        running: list[subprocess.Popen[bytes]] = []
        stack.callback(_end, running)
        for device, rank in enumerate(ranks):
            member = json.dumps(Member(str(file), processes, rank, device, os.getpid()))
            command = [sys.executable, "-m", "tasks.train.worker", job_spec, member]
            running.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        while not code and not stopped() and any(each.poll() is None for each in running):
            time.sleep(0.1)
            code = next(filter(None, (each.poll() for each in running)), 0)
    return code or next(filter(None, (each.returncode for each in running)), 0)


def _end(running: Sequence["subprocess.Popen[bytes]"]) -> None:
    for each in running:
        each.terminate()
    until = time.monotonic() + GRACE
    for each in running:
        try:
            each.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()
