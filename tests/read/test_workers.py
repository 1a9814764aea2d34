"""Several processes or machines read the same bytes as one process."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
BATCHES = Inference(users_per_batch=3)


@pytest.fixture
def one_thread():
    """In each worker as well: four threads of two workers wait for each other on two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_workers_of_a_cluster_read_the_bytes_of_one_process(
    tmp_path, cluster, adapter, base, prompts, candidate_prompts
):
    tables = []
    for address in (None, cluster):
        inference = BATCHES.model_copy(update={"dask_address": address})
        store = Store(tmp_path / f"{address is None}")
        made = read_prompts.fn(
            adapter, base, prompts, candidate_prompts, inference=inference, store=store
        )
        tables.append((made.path / "readings.parquet").read_bytes())
    assert tables[0] == tables[1]


PROGRAM = """
import pickle, sys
from pathlib import Path
from tasks.read.task import read_prompts
if __name__ == "__main__":
    handles, settings = pickle.loads(Path(sys.argv[1]).read_bytes())
    read_prompts.fn(*handles, **settings)
"""


@pytest.mark.slow
def test_a_killed_run_of_two_processes_resumes_to_the_same_bytes(
    tmp_path, adapter, base, prompts, candidate_prompts
):
    handles, store = (adapter, base, prompts, candidate_prompts), Store(tmp_path / "killed")
    alone = read_prompts.fn(*handles, inference=BATCHES, store=Store(tmp_path / "alone"))
    inference = BATCHES.model_copy(update={"workers": 2})
    settings = {"inference": inference, "store": store}
    (program := tmp_path / "program.py").write_text(PROGRAM)
    (arguments := tmp_path / "arguments").write_bytes(pickle.dumps((handles, settings)))
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    command = [sys.executable, str(program), str(arguments)]
    with subprocess.Popen(command, env=environment) as run:
        while len(batches := list(store.root.glob("**/batches/*.batch"))) < 3:
            assert run.poll() is None
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    before = {batch: batch.stat().st_mtime_ns for batch in batches}
    assert not list(store.root.glob("artifacts/readings/[!.]*"))
    wait_until_idle(next(store.root.glob("**/batches")))
    assert all(batch.stat().st_mtime_ns == at for batch, at in before.items())
    subprocess.run(command, env=environment, check=True)
    (again,) = store.root.glob("artifacts/readings/[!.]*")
    table = "readings.parquet"
    assert (again / table).read_bytes() == (alone.path / table).read_bytes()


def wait_until_idle(folder: Path) -> None:
    """The killed run's workers notice that it is gone, and end after their batch."""
    seen: set[str] = set()
    while seen != (now := {file.name for file in folder.iterdir()}):
        seen = now
        time.sleep(1)
