"""Measures what a run costs beside the work of its stages, and what a run without work costs.

    python -m bench.orchestration --json orchestration.json

Each repetition is a first run of profile smoke beside a Prefect server, the same run again, and a
flow of as many empty tasks. Wall seconds of whole processes; medians over the repetitions.
`orchestration` is the time of the first run beyond its stages, `own` that of the second beyond the
empty tasks.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
RUN = [sys.executable, "-m", "flows", "nightly", "--profile", "smoke"]
NOTHING = """
import sys
from prefect import flow, task

@task
def nothing():
    pass

@flow
def empty(tasks: int):
    for _ in range(tasks):
        nothing()

empty(int(sys.argv[1]))
"""


@contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    """A Prefect server on loopback; the environment of who talks to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(360):
            with suppress(OSError), urllib.request.urlopen(f"{api}/health", timeout=2):
                break
            time.sleep(0.5)
        yield environment
    finally:
        process.terminate()
        process.wait()


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a process."""
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    return time.monotonic() - began


def measured(environment: dict[str, str]) -> dict[str, float]:
    """A first run, the same again, and a flow of empty tasks."""
    with TemporaryDirectory() as folder:
        environment = environment | {"CONTENT_ADVISOR_STORE": folder}
        first = seconds(RUN, environment)
        costs = [json.loads(file.read_text()) for file in Path(folder).glob("*/*/[!.]*/cost.json")]
        stages = sum(cost["seconds"] for cost in costs)
        again = seconds(RUN, environment)
    nothing = seconds([sys.executable, "-c", NOTHING, str(len(costs))], environment)
    figures = {"first": first, "stages": stages, "orchestration": first - stages}
    return figures | {"again": again, "nothing": nothing, "own": again - nothing}


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    with TemporaryDirectory() as home, server(Path(home)) as environment:
        runs = [measured(environment) for _ in range(arguments.runs)]
    figures = {name: round(median(run[name] for run in runs), 2) for name in runs[0]}
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
