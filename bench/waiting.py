"""Measures what it costs that threads sleep while they wait, and what it saves beside others.

    python -m bench.waiting --json waiting.json      half a minute on two quiet cores

Training steps of bloom-mini's shape, in one process and in two at once. `spin`: threads wait as
OpenMP's runtime has it by itself; `sleep`: as `tasks` sets it. Wall and CPU seconds of a process,
medians of the runs, in which the ways take turns. `others` is the share of the cores that other
processes took: where it is not about 0, one process was not alone.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

STEPS = 4
WAYS = {"spin": "", "sleep": "passive"}
Figures = dict[str, float]


def train(pipe: Connection) -> None:
    """Train so many steps whenever told to; answer with wall and CPU seconds."""
    from bench.train_peers import own
    from bench.train_samples import SHAPES, new_model

    shape = SHAPES["mini"]
    with TemporaryDirectory() as folder:
        model = new_model(shape, Path(folder))
    own(model, shape, STEPS)
    pipe.send("ready")
    while pipe.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        own(model, shape, STEPS)
        pipe.send({"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu})


@contextmanager
def ready_process(way: str) -> Iterator[Connection]:
    """A pipe to a process that is ready to train."""
    os.environ["OMP_WAIT_POLICY"] = WAYS[way]  # inherited
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=train, args=(there,))
    process.start()
    here.recv()
    yield here
    here.send(False)
    process.join()


def measure(pipes: list[Connection]) -> Figures:
    """Means over processes that train at once, and the share of the cores that others took."""
    start, busy = time.perf_counter(), _busy()
    for pipe in pipes:
        pipe.send(True)
    found: list[Figures] = [pipe.recv() for pipe in pipes]
    wall = time.perf_counter() - start
    others = _busy() - busy - sum(figures["cpu_seconds"] for figures in found)
    means = {name: sum(figures[name] for figures in found) / len(found) for name in found[0]}
    return means | {"others": max(0, others) / (wall * psutil.cpu_count())}


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def main() -> None:
    """Measure, print, and write JSON with `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    found: dict[str, list[Figures]] = {}
    with ExitStack() as stack:
        pipes = {way: [stack.enter_context(ready_process(way)) for _ in range(2)] for way in WAYS}
        for _ in range(arguments.runs):
            for count, beside in ((1, "alone"), (2, "two at once")):
                for way in WAYS:
                    figures = measure(pipes[way][:count])
                    found.setdefault(f"{beside}, {way}", []).append(figures)
    medians = {
        name: {figure: round(median(run[figure] for run in runs), 3) for figure in runs[0]}
        for name, runs in found.items()
    }
    print(json.dumps(medians, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
