"""The lock of a whole store: one run at a time, released when its holder ends or dies."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.store.store import Store, StoreBusyError

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import sys, time
from pathlib import Path
from tasks.store.store import Store
with Store(Path(sys.argv[1])).exclusive_lock("a killed night", wait=True):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(store: Store, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(store.root), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_waits_for_the_end(store, caplog):
    first = holder(store, 1)
    with caplog.at_level("INFO"), store.exclusive_lock("the second", wait=True):
        assert first.wait(10) == 0
    assert "a killed night" in caplog.text
    assert "for its end" in caplog.text


def test_a_killed_night_holds_nothing(store):
    first = holder(store, 60)
    with (
        pytest.raises(StoreBusyError, match="a killed night"),
        store.exclusive_lock("x", wait=False),
    ):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    with store.exclusive_lock("the next", wait=False):
        pass
