"""The path from files to prompts, killed at any moment and run again, ends with the same bytes."""

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench.data_path_peers import learn_tokenizer
from bench.movielens_like import write_data_set
from tasks.store.store import Store

KILLS = 20
ROOT = Path(__file__).resolve().parents[2]


def walking(data: Path, root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.data_path", "--way", "ours", str(data), str(root)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(root: Path) -> dict[str, str]:
    """The hash of every file that is not a lock, a draft, or what a clock wrote."""
    files = [path for path in root.rglob("*") if path.is_file()]
    kept = [
        path
        for path in files
        if not any(part.startswith((".", "measured-")) for part in path.relative_to(root).parts)
        and path.name != "cost.json"
    ]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept
    }


@pytest.mark.slow
def test_a_path_killed_at_any_moment_ends_with_the_bytes_of_an_undisturbed_one(tmp_path):
    data, whole = tmp_path / "data", tmp_path / "whole"
    write_data_set(data, rows=100_000)
    learn_tokenizer(data, Store(whole))
    clean = tmp_path / "clean"
    shutil.copytree(whole, clean)
    began = time.monotonic()
    assert walking(data, whole).wait() == 0
    seconds, expected = time.monotonic() - began, finished(whole)
    assert {name.split("/")[1] for name in expected} >= {"raw-ratings", "split-ratings", "prompts"}
    killed = 0
    for kill, moment in enumerate(np.random.default_rng(0).uniform(0.2, 0.95, KILLS)):
        root = tmp_path / str(kill)
        shutil.copytree(clean, root)
        process = walking(data, root)
        time.sleep(moment * seconds)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        assert finished(root).items() <= expected.items()
        assert walking(data, root).wait() == 0
        assert finished(root) == expected
        assert not list(root.rglob(".draft-*"))
        shutil.rmtree(root)
    # The others had ended before their moment came: on a busy machine the first run is the slowest.
    assert killed >= KILLS / 4
