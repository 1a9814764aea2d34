"""Locks: one holder at a time; a wait names it, ends, and outlives no dead holder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.store.file_lock import file_lock
from tasks.store.remote.errors import ConflictError
from tasks.store.remote.mount import Mount
from tasks.store.store import Store, StoreBusyError

ROOT = Path(__file__).resolve().parents[2]
STORE = """
import sys, time
from pathlib import Path
from tasks.store.store import Store
with Store(Path(sys.argv[1])).exclusive_lock("a killed run", wait=True):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
MOUNT = """
import sys, time
from pathlib import Path
from tasks.store.remote.mount import Mount
with Mount(Path(sys.argv[1]))._lock("file"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(code: str, root: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that holds a lock for some seconds."""
    command = [sys.executable, "-c", code, str(root), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_a_second_run_waits_for_the_end_of_the_first_and_names_it(store, caplog):
    first = holder(STORE, store.root, 1)
    with caplog.at_level("INFO"), store.exclusive_lock("the second", wait=True):
        assert first.wait(10) == 0
    assert f"a killed run (process {first.pid} on " in caplog.text
    assert "for its end" in caplog.text


def test_the_lock_of_a_killed_run_is_released(store):
    first = holder(STORE, store.root, 60)
    busy = rf"a killed run \(process {first.pid} on .*, since 20.* UTC\) holds {store.root}"
    with pytest.raises(StoreBusyError, match=busy), store.exclusive_lock("next", wait=False):
        pass
    kill(first)
    with store.exclusive_lock("next", wait=False):
        pass


def test_a_wait_ends_at_its_timeout(tmp_path):
    path = tmp_path / "folder" / ".lock"
    with file_lock(path, "the first"):
        busy = rf"the first \(process {os.getpid()} on"
        with pytest.raises(StoreBusyError, match=busy), file_lock(path, "second", timeout=0.3):
            pass
    with file_lock(path, "second", timeout=0):
        pass


def test_a_lock_is_released_where_its_block_raises(store: Store):
    with pytest.raises(KeyError), store.exclusive_lock("first", wait=False):
        raise KeyError
    with store.exclusive_lock("second", wait=False):
        pass


def test_a_file_of_a_mount_is_replaced_by_one_process_and_not_blocked_by_a_dead_one(tmp_path):
    mount, draft = Mount(tmp_path), tmp_path / "draft"
    draft.write_text("new")
    first = holder(MOUNT, tmp_path, 60)
    with pytest.raises(ConflictError, match=rf"process {first.pid} of .* is replacing"):
        mount.compare_and_swap("file", draft, None)
    assert mount.version("file") is None
    kill(first)
    assert mount.compare_and_swap("file", draft, None) == mount.version("file")
