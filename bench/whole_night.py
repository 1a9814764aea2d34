"""Runs profile `nightly` to report and recommendations on a data set of MovieLens 20M's shape.

    python -m bench.whole_night --json night.json          20 million ratings
    python -m bench.whole_night --rows 500000              a try

bloom-mini stands in for BLOOM-1b7, so that no GPU is needed. What grows with the language model is
bounded for two cores, and only that: its base and its adapter learn from so many steps, and only
who rated in the last days of the data is served a list. All else is the profile's.

Seconds and CPU seconds are those of each artifact's making; memory is the most that any process of
the run held at once, seen twice a second.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import psutil

from bench.movielens_like import ROWS, write_data_set
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = (
    "needs_gpu=false",
    "baselines_beside_training=false",
    "base.name=bloom-mini",
    "base.mini.fit.max_steps=600",
    "train.fit.max_steps=600",
    "serving.active_days=30",
)


@contextmanager
def largest_process(pid: int) -> Iterator[dict[str, float]]:
    """The most gigabytes that the process, or any that descends from it, held at once."""
    found, ended = {"gb": 0.0}, threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            found["gb"] = max(found["gb"], *(size / 1e9 for size in _resident(pid)), 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _resident(pid: int) -> Iterator[int]:
    try:
        run = psutil.Process(pid)
        family = [run, *run.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            yield process.memory_info().rss
        except psutil.NoSuchProcess:
            continue


def run_night(data: Path, root: Path, more: list[str]) -> dict[str, Any]:
    """Seconds, peak memory and exit status of one run."""
    settings = [f"ingest.data={data}", *SETTINGS, *more]
    command = [sys.executable, "-m", "flows", "nightly", "--profile=nightly"]
    command += [f"--set={setting}" for setting in settings]
    environment = os.environ | {"CONTENT_ADVISOR_STORE": str(root)}
    began = time.perf_counter()
    run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sys.stderr)
    with run, largest_process(run.pid) as memory:
        status = run.wait()
    seconds = time.perf_counter() - began
    return {"exit_code": status, "minutes": seconds / 60, "peak_gb": memory["gb"], "set": settings}


def stages_of(root: Path) -> list[dict[str, Any]]:
    """The stages of the newest run, in order."""
    query = """
        select stage, kind, seconds, cpu_seconds, peak_bytes / 1e9 as peak_gb, rows from stages
        where run_id = (select arg_max(run_id, run_at) from runs) order by stage"""
    with open_readonly(metrics_path(Store(root))) as db:
        return pl.DataFrame(db.sql(query).to_arrow_table()).to_dicts()


def main() -> None:
    """Run, and print the stages; exits with the run's status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder", type=Path, help="where data set and store lie, and stay")
    parser.add_argument("--set", action="append", default=[], help="settings over those above")
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        data, root = folder / f"like-{arguments.rows}", folder / f"night-{arguments.rows}"
        if not (data / "ratings.csv").exists():
            write_data_set(data, rows=arguments.rows)
        figures = run_night(data, root, arguments.set)
        if not figures["exit_code"]:
            figures["stages"] = stages_of(root)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    for row in figures.get("stages", []):
        print(
            f"{row['kind']:<20} {row['seconds']:8.1f} s {row['cpu_seconds']:8.1f} CPU s "
            f"{row['peak_gb']:6.2f} GB {row['rows'] or 0:12,} rows"
        )
    print(f"{figures['minutes']:.1f} minutes, {figures['peak_gb']:.2f} GB in the largest process")
    sys.exit(figures["exit_code"])


if __name__ == "__main__":
    main()
