"""What a machine refuses ends in one line that names it: rights, disks, homes, clocks."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from tasks.metrics_db import atomic_update
from tests.servers import ROOT

DATA = Path(__file__).parent / "cases" / "n-small"
# As an ordinary user: root may read and write whatever its permissions say.
RIGHTS = "-dac_override,-dac_read_search"
SETPRIV = ("setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}")
ORDINARY = () if os.getuid() else SETPRIV


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set in a folder of its own."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        yield disk


@contextmanager
def mounted(folder: Path, *source: str) -> Iterator[Path]:
    """A folder on which something is mounted."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", *source, str(folder)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: only root may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def advisor(
    *arguments: object, within: Path = ROOT, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """A command as an ordinary user; a variable that is None is not set."""
    merged = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        [*ORDINARY, sys.executable, "-m", "flows", *map(str, arguments)],
        cwd=within,
        env={name: value for name, value in merged.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def refusal(ran: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command failed."""
    assert ran.returncode == 1, ran.stdout + ran.stderr
    (line,) = ran.stderr.splitlines()
    return line


def test_a_data_folder_without_permission(data):
    data.chmod(0)
    assert f"Permission denied: {data}: give this user the right" in refusal(advisor("check", data))


def test_a_file_without_permission(data):
    (data / "ratings.csv").chmod(0)
    assert "ratings.csv cannot be read: Permission denied" in refusal(advisor("check", data))


@pytest.mark.parametrize("command", ["nightly", "gc"])
def test_a_store_without_permission(tmp_path, data, command):
    (store := tmp_path / "store").mkdir(mode=0o500)
    arguments = ["--profile", "smoke", "--data", data] if command == "nightly" else []
    line = refusal(advisor(command, *arguments, CONTENT_ADVISOR_STORE=str(store)))
    assert f"Permission denied: {store}/artifacts: give this user the right to it, or set " in line


def test_a_store_on_a_read_only_disk(tmp_path):
    with mounted(tmp_path / "store", "-t", "tmpfs", "-o", "ro", "tmpfs") as store:
        line = refusal(advisor("gc", CONTENT_ADVISOR_STORE=str(store)))
        assert f"Read-only file system: {store}/artifacts: set CONTENT_ADVISOR_STORE" in line


def test_a_store_on_a_read_only_disk_is_read(tmp_path):
    (tmp_path / "kept" / "artifacts").mkdir(parents=True)
    with atomic_update(tmp_path / "kept" / "artifacts" / "metrics.duckdb"):
        pass  # no run, but every table
    with mounted(tmp_path / "store", "--bind", str(tmp_path / "kept")) as store:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(store)], check=True)
        ran = advisor("sql", "select 41 + 1 as answer", CONTENT_ADVISOR_STORE=str(store))
    assert ran.returncode == 0, ran.stderr
    assert "42" in ran.stdout


def test_a_store_that_is_a_file(data):
    store = str(data / "ratings.csv")
    line = refusal(advisor("gc", CONTENT_ADVISOR_STORE=store))
    assert f"Not a directory: {store}/artifacts: name a folder" in line


@pytest.mark.parametrize("command", ["check", "nightly"])
def test_a_full_temporary_folder_is_known_at_the_beginning(data, small_disk, command):
    arguments = [data] if command == "check" else ["--data", data]
    line = refusal(advisor(command, *arguments, TMPDIR=str(small_disk)))
    assert f"the temporary folder {small_disk} has 1 MB free, and a run needs 16: free " in line


def test_a_full_disk_behind_the_output():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "flows", "config"]
        ran = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert "No space left on device: free space there" in refusal(ran)


@pytest.mark.parametrize("home", [None, "/proc/no-home"])
def test_a_user_without_a_home_folder(data, home):
    ran = advisor("check", data, HOME=home)
    assert ran.returncode == 0, ran.stderr
    assert "a run can start" in ran.stdout


def test_a_folder_that_is_gone(tmp_path, data):
    gone = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    (folder := tmp_path / "gone").mkdir()
    command = ["sh", "-c", gone, "sh", str(folder), sys.executable, "-m", "flows", "check", "data"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "the folder that this was started in is gone: cd to one that exists" in refusal(ran)


def test_a_clock_that_is_an_hour_slow_loses_no_rating(data):
    ratings = pl.read_csv(data / "ratings.csv")
    newest = int(time.time()) + 3600
    shifted = pl.col("timestamp") - pl.col("timestamp").max() + newest
    ratings.with_columns(shifted).write_csv(data / "ratings.csv")
    for file in data.iterdir():
        os.utime(file, (newest, newest))
    ran = advisor("check", data)
    assert ran.stdout.split("ratings.csv")[1].split()[2:6] == ["1200", "1200", "0", "0"]
