"""A long step logs a line a minute: how much, how fast, how long still, and its figures."""

import logging
import subprocess
import sys

import pytest

from tasks import progress
from tasks.progress import duration
from tasks.train.relayed_log import relayed
from tests.servers import ROOT


@pytest.fixture
def clock(monkeypatch):
    """`clock(seconds)`: so much time passes."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "tasks.progress"]


def test_a_step_says_each_minute_how_fast_it_is_and_what_is_left(clock, caplog):
    caplog.set_level(logging.INFO, "tasks")
    with progress.progress("train", 10_000.0, "tok", done=4_000) as bar:
        for loss in ("2", "1.5", "1.25"):
            clock(30)
            bar.figures = {"loss": loss, "rmse": "0.98"}
            bar.update(1_200)
    assert lines(caplog) == [
        "train: 6,400 of 10,000 tok (64 %), 40 tok/s, 2 min left, loss 1.5, rmse 0.98"
    ]


def test_a_step_of_unknown_length_and_a_slow_one(clock, caplog):
    caplog.set_level(logging.INFO, "tasks")
    with progress.progress("prompt", None, "ratings") as bar:
        clock(100)
        bar.update(5)
    for _ in progress.track(range(2), "baseline", 4, "fits"):
        clock(1000)
    assert lines(caplog) == [
        "prompt: 5 ratings, 0.05 ratings/s",
        "baseline: 1 of 4 fits (25 %), 0.001 fits/s, 50 min left",
        "baseline: 2 of 4 fits (50 %), 0.001 fits/s, 33 min left",
    ]


def test_a_silent_step_logs_nothing(clock, caplog):
    caplog.set_level(logging.INFO, "tasks")
    with progress.progress("train", 10.0, "tok", silent=True) as bar:
        clock(1e9)
        bar.update(1)
    assert lines(caplog) == []


def test_durations_are_in_the_largest_unit():
    assert [duration(s) for s in (0, 89, 90, 5399, 5400, 36_000)] == [
        "0 s", "89 s", "2 min", "90 min", "1.5 h", "10.0 h",
    ]  # fmt: skip


def test_what_a_training_process_logs_is_logged_by_its_launcher(tmp_path, caplog):
    caplog.set_level(logging.INFO, "tasks")
    code = (
        "import logging, pathlib, sys; from tasks.train.relayed_log import log_to\n"
        "log_to(pathlib.Path(sys.argv[1])); log = logging.getLogger('tasks.training')\n"
        "log.info('loss %s', 1.5); log.warning('of two\\nlines')"
    )
    with relayed(file := tmp_path / "log"):
        subprocess.run([sys.executable, "-c", code, file], cwd=ROOT, check=True)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "loss 1.5"),
        ("WARNING", "of two"),
        ("INFO", "lines"),
    ]
