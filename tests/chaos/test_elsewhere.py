"""A run whose shards are made on other machines ends with the bytes of one machine, whoever dies.

The other machines are workers that see no disk of the run's: each has an empty one of its own
where the store would be, and what it needs comes from a bucket.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.runs import Runs, nothing_half_there, published, without_pages
from tests.servers import DASK, ROOT, object_storage, running, scheduler, wait_until

pytestmark = pytest.mark.chaos
OWN_DISK = 'mount -t tmpfs tmpfs "$1" && shift && exec "$@"'


@contextmanager
def machine(root: Path, address: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that has a disk of its own at `root`."""
    worker = [DASK, "worker", address, "--nthreads", "1", "--no-dashboard"]
    command = ["unshare", "--mount", "sh", "-c", OWN_DISK, "sh", str(root), *worker]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with running(command, environment, log) as process:
        yield process


def workers_under(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The processes that a worker's nanny watches."""
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def test_a_night_on_other_machines_of_which_one_dies(runs: Runs, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("no machine can be made up here: only root may")
    (root := tmp_path / "store").mkdir()
    with (
        object_storage("runs") as bucket,
        scheduler(tmp_path) as address,
        machine(root, address, tmp_path / "one.log") as one,
        machine(root, address, tmp_path / "other.log") as other,
    ):
        run = runs.start(
            root,
            overrides={"dask_address": address},
            environment=bucket | {"CONTENT_ADVISOR_REMOTE": "s3://runs/advisor"},
        )
        wait_until(lambda: list(root.glob("artifacts/readings/.draft-*")), seconds=1500)
        os.kill(workers_under(one)[0].pid, signal.SIGKILL)
        output, _ = run.communicate()
        assert run.returncode == 0, output
        disks = [Path(f"/proc/{worker.pid}/root{root}") for worker in (one, other)]
        fetched = {path.parts[-3] for disk in disks for path in disk.glob("*/*/*/manifest.json")}
        assert fetched >= {
            "tokenizer", "prompts", "base", "adapter", "split-ratings", "rating-predictions"
        }  # fmt: skip
        assert not [path for disk in disks for path in disk.rglob("metrics.duckdb")]
    assert nothing_half_there(root)
    assert without_pages(root) == without_pages(runs.whole)
    assert published(root) == published(runs.whole)
