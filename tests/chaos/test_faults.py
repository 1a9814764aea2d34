"""Faults during a run. No artifact is left incomplete, and a rerun ends with the bytes of a run
without faults. `make chaos` tries all of them, `make test` some.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench.movielens_like import write_data_set
from tasks.metrics_db import atomic_update, find_champion, open_readonly
from tests.runs import Runs, artifacts, nothing_half_there
from tests.servers import PREFECT, beside_server, deploy, finished, server, wait_until, worker

MARGINS = ("rmse", "ndcg", "slice_rmse", "coverage")
OF_WHEEL = {"ingest": {"data": "ml-100k-wheel"}}
all_of_it = pytest.mark.chaos


def kill(run: subprocess.Popen[str]) -> None:
    """The whole group, without a word."""
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()


@pytest.mark.parametrize(
    "kills", [2, pytest.param(30, marks=[all_of_it, pytest.mark.timeout(5400)])]
)
def test_a_night_killed_at_any_moment(runs: Runs, tmp_path: Path, kills: int) -> None:
    number = 0
    for moment in np.random.default_rng(kills).uniform(0.25, 0.9, kills):
        root = tmp_path / str(number)
        run = runs.start(root)
        try:
            run.communicate(timeout=moment * runs.seconds)
        except subprocess.TimeoutExpired:
            kill(run)
            assert nothing_half_there(root)
        else:  # earlier ones had come so far: begin anew
            runs.ends_well(root)
            number += 1
    runs.ends_well(tmp_path / str(number))


def flip(file: Path, random: np.random.Generator) -> None:
    content = bytearray(file.read_bytes())
    content[random.integers(len(content))] ^= 1
    file.write_bytes(content)


def truncate(file: Path, random: np.random.Generator) -> None:
    os.truncate(file, random.integers(file.stat().st_size))


def hide(file: Path, random: np.random.Generator) -> None:
    file.unlink()
    file.mkdir()  # not even root can read it


@pytest.mark.parametrize(
    "harm", [flip, pytest.param(truncate, marks=all_of_it), pytest.param(hide, marks=all_of_it)]
)
def test_a_file_of_each_artifact_is_damaged(runs: Runs, root: Path, harm) -> None:
    random = np.random.default_rng(0)
    built = {name: json.loads(manifest)["files"] for name, manifest in artifacts(root).items()}
    for folder, files in built.items():
        harm(root / folder / random.choice(sorted(n for n in files if files[n]["bytes"])), random)
    output = runs.ends_well(root)
    for folder in built:
        kind, fingerprint = folder.split("/")[1:]
        assert f"{kind} {fingerprint} is corrupt" in output


@all_of_it
def test_the_downloaded_package_is_damaged(runs: Runs, wheel_100k: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data" / "raw" / wheel_100k.name
    copy.parent.mkdir(parents=True)
    shutil.copy(wheel_100k, copy)
    flip(copy, np.random.default_rng(0))
    run = runs.start(tmp_path, overrides=OF_WHEEL)
    output, _ = run.communicate()
    assert run.returncode == 0, output
    assert "has changed since: fetching it again" in output
    assert nothing_half_there(tmp_path)


@all_of_it
def test_the_network_is_away(runs: Runs, tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_CACHE_DIR": "1"}
    nowhere |= {"PIP_RETRIES": "0"}
    output = runs.goes_wrong(tmp_path, environment=nowhere, overrides=OF_WHEEL)
    assert "error: pip cannot fetch recbole 1.2.1" in output
    runs.ends_well(tmp_path)


@all_of_it
def test_hostile_titles_go_through_the_whole_night(runs: Runs, tmp_path: Path) -> None:
    evil = ["<script>alert(1)</script> (1995)", "'); drop table runs; -- (1996)", "../../x (1997)"]
    write_data_set(tmp_path / "data", rows=20_000)
    ratings = pl.read_csv(tmp_path / "data" / "ratings.csv")
    most = ratings["movieId"].value_counts(sort=True)["movieId"].head(len(evil)).to_list()
    films = pl.read_csv(tmp_path / "data" / "movies.csv")
    title = pl.col("movieId").replace_strict(most, evil, default=pl.col("title"))
    films.with_columns(title.alias("title")).write_csv(tmp_path / "data" / "movies.csv")
    root = tmp_path / "store"
    run = runs.start(root, overrides={"ingest": {"data": str(tmp_path / "data")}})
    output, _ = run.communicate()
    assert run.returncode == 0, output
    with open_readonly(root / "artifacts" / "metrics.duckdb") as db:
        titles = {row[0] for row in db.execute("select title from films").fetchall()}
        assert db.execute("select count(*) from runs").fetchall() == [(1,)]
    assert titles >= set(evil)
    (page,) = root.glob("artifacts/report/*/report.html")
    assert "<script" not in page.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "store"}


@all_of_it
def test_the_clock_is_set_back(runs: Runs, root: Path) -> None:
    tomorrow = time.time() + timedelta(days=1).total_seconds()
    for path in root.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    metrics = root / "artifacts" / "metrics.duckdb"
    with atomic_update(metrics) as db:
        db.execute("update runs set run_at = now() + interval 1 day")
        db.execute("update champions set decided_at = now() + interval 1 day")
    runs.ends_well(root)
    run = runs.start(
        root, overrides={"train": {"fit": {"seed": 1}}, "promotion": dict.fromkeys(MARGINS, 9)}
    )
    output, _ = run.communicate()
    assert run.returncode == 0, output
    with open_readonly(metrics) as db:
        decisions = db.execute(
            "select adapter, previous_champion from champions order by decided_at"
        ).fetchall()
    assert decisions[1][1] == decisions[0][0]
    assert find_champion(metrics) == decisions[1][0]


@all_of_it
def test_two_runs_at_once(runs: Runs, tmp_path: Path) -> None:
    both = [runs.start(tmp_path) for _ in range(2)]
    output = [run.communicate()[0] for run in both]
    assert [run.returncode for run in both] == [0, 0]
    assert sum("min for its end" in text for text in output) == 1
    runs.ends_well(tmp_path)


@all_of_it
def test_memory_runs_out(runs: Runs, tmp_path: Path) -> None:
    ended = []
    for tenths in (26, 28, 29, 30, 31, 32):  # of a GB: less than imports need, and more and more
        run = runs.start(tmp_path, limit=tenths * 10**8)
        output, _ = run.communicate()
        ended.append(run.returncode)
        assert "Traceback" not in output
        assert nothing_half_there(tmp_path)
    assert any(ended)
    runs.ends_well(tmp_path)


@all_of_it
def test_the_server_is_killed(runs: Runs, tmp_path: Path) -> None:
    environment = beside_server(tmp_path, tmp_path / "store")
    there = replace(runs, environment=environment)
    with server(environment) as process:
        run = there.start(tmp_path / "store")
        wait_until(lambda: (tmp_path / "store" / "artifacts" / "base").exists(), seconds=1500)
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = run.communicate()
    assert run.returncode == 1
    assert "error: the Prefect server is gone" in output
    assert nothing_half_there(tmp_path / "store")
    runs.ends_well(tmp_path / "store")


@all_of_it
def test_the_worker_is_killed_with_its_night(runs: Runs, tmp_path: Path) -> None:
    root = tmp_path / "store"
    environment = beside_server(tmp_path, root)
    run = ["deployment", "run", "nightly/on-demand", "-p", "profile=smoke"]
    run += ["-p", f"overrides={json.dumps(runs.overrides)}"]

    def prefect(*arguments: str) -> str:
        return finished([PREFECT, "--no-prompt", *arguments], environment)

    with server(environment):
        deploy(environment)
        with worker(environment) as process:
            prefect(*run)
            wait_until(lambda: (root / "artifacts" / "base").exists(), seconds=1500)
            os.killpg(process.pid, signal.SIGKILL)
        assert nothing_half_there(root)
        with worker(environment):
            prefect(*run, "--watch")
    runs.ends_well(root)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 256 MB at `folder`."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: only root may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """To the last page."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def drafts(root: Path) -> set[str]:
    """Kinds that are being written."""
    kinds = {path.parent.name for path in root.glob("*/*/.draft-*")}
    return kinds | {path.name for path in root.glob("artifacts/.draft-metrics.duckdb")}


@all_of_it
@pytest.mark.timeout(5400)
def test_the_disk_is_full_in_each_stage(runs: Runs, tmp_path: Path) -> None:
    filled: set[str] = set()
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        while True:
            run = runs.start(disk / "store")
            while run.poll() is None and not (new := drafts(disk / "store") - filled):
                time.sleep(0.001)
            if run.returncode == 0:
                run.communicate()
                break
            os.killpg(run.pid, signal.SIGSTOP)
            fill(ballast)
            os.killpg(run.pid, signal.SIGCONT)
            output, _ = run.communicate()
            filled |= new
            if run.returncode:
                assert "Traceback" not in output
                assert "No space left" in output or "full" in output, output
            ballast.unlink()
            assert nothing_half_there(disk / "store")
        runs.ends_well(disk / "store")
    kinds = {json.loads(m)["kind"] for m in artifacts(runs.whole).values()}
    assert len(filled) > len(kinds) / 2  # some are written faster than one can look
