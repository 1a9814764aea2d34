"""Threads of OpenMP sleep while they wait, in every process that trains, unless told not to."""

import os
import subprocess
import sys

import pytest

from tests.servers import ROOT

PROCESSES = {
    "the command": ["-c", "import flows.cli, flows.nightly, torch"],
    "a worker's run": [
        "-c",
        "from prefect.flows import load_flow_from_entrypoint as load;"
        "load('flows/nightly.py:nightly'); import torch",
    ],
    "a training process": ["-c", "import tasks.train.worker"],
    "a worker of a cluster": ["-c", "import distributed, tasks.readout.resumable_batches"],
}


def spins(arguments: list[str], **environment: str) -> set[str]:
    """How often threads look before they sleep: what OpenMP's runtimes say when they load."""
    others = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    said = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=others | environment | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    return {line.split("'")[1] for line in said.splitlines() if "GOMP_SPINCOUNT" in line}


@pytest.mark.parametrize("arguments", PROCESSES.values(), ids=PROCESSES)
def test_threads_sleep_while_they_wait(arguments):
    assert spins(arguments) == {"0"}


def test_what_a_person_has_set_stays():
    assert "0" not in spins(PROCESSES["the command"], OMP_WAIT_POLICY="active")
