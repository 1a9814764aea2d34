"""What a night costs beside the work of its rooms, and what it costs to find everything done.

    python -m bench.night --json night.json

Each run is a night of profile smoke from nothing, beside a Prefect server of its own, and then
the same night again, with Prefect and without (`bare`). Wall seconds, but for `flow_cpu`; medians
over the runs. A process is prefect + load + flow + leave: importing Prefect, then our flow's file,
the flow, the end. Of the flow, `build` is the store's (`rooms`: building, `hashing`: the rest),
`publish` and `announce` are ours as well, and what is left is Prefect's.
"""

import argparse
import atexit
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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Seconds = dict[str, float]


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
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, **quiet)  # type: ignore[call-overload]
    try:
        for _ in range(360):
            with suppress(OSError), urllib.request.urlopen(f"{api}/health", timeout=2):
                break
            time.sleep(0.5)
        yield environment
    finally:
        process.terminate()
        process.wait()


def night(how: str, store: Path, environment: dict[str, str]) -> Seconds:
    """A night in a process of its own."""
    command = [sys.executable, "-m", "bench.night", "--one", how]
    began = time.time()
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"CONTENT_ADVISOR_STORE": str(store), "BEGAN": str(began)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    told: Seconds = json.loads(ran.stdout.splitlines()[-1])
    told["process"] = time.time() - began
    told["leave"] = told["process"] - sum(told[n] for n in ("prefect", "load", "flow"))
    return told


def one(how: str) -> None:
    """Walk through a night and print where its seconds went. `bare`: without Prefect."""
    began = float(os.environ["BEGAN"])
    from prefect import Task, flow  # noqa: F401

    seconds = {"prefect": time.time() - began}
    began = time.time()
    from flows import console, nightly, settings
    from tasks.publish.task import publish
    from tasks.store import Store

    seconds["load"] = time.time() - began
    spent = dict.fromkeys(("build", "publish", "announce"), 0.0)

    def timed(name: str, function: Any) -> Any:  # noqa: ANN401
        def run(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            began = time.time()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.time() - began

        return run

    if how == "bare":
        Task.__call__ = lambda self, *a, **named: self.fn(*a, **named)  # type: ignore[method-assign]
        for kind in ("table", "markdown", "link"):
            setattr(console, f"create_{kind}_artifact", lambda *_, **__: None)
    Store.build = timed("build", Store.build)  # type: ignore[method-assign]
    publish.fn = timed("publish", publish.fn)
    nightly.announce = timed("announce", nightly.announce)  # type: ignore[attr-defined]
    console.quiet()
    began, cpu = time.time(), time.process_time()
    if how == "bare":
        nightly.one_night("smoke", settings.load("smoke"), settings.the_store())
    else:
        nightly.nightly("smoke")
    spent |= {"flow": time.time() - began, "flow_cpu": time.process_time() - cpu}
    print(json.dumps(seconds | spent), flush=True)
    atexit._run_exitfuncs()  # as the flow's own command ends
    os._exit(0)


def rooms(store: Path) -> float:
    """What the rooms took that have left something."""
    return sum(
        json.loads(file.read_text())["seconds"] for file in store.glob("*/*/[!.]*/cost.json")
    )


def measured(environment: dict[str, str]) -> dict[str, Seconds]:
    """One night from nothing, and the same again."""
    with TemporaryDirectory() as folder:
        store = Path(folder)
        first = night("first", store, environment)
        first["rooms"] = rooms(store)
        first["orchestration"] = first["process"] - first["rooms"]
        first["hashing"] = first["build"] - first["rooms"]
        return {
            "first": first,
            **{how: night(how, store, environment) for how in ("again", "bare")},
        }


def main() -> None:
    """Measure, print, and write JSON where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a night of a run, in its own process
    told = parser.parse_args()
    if told.one:
        one(told.one)
        return
    with TemporaryDirectory() as home, server(Path(home)) as environment:
        runs = [measured(environment) for _ in range(told.runs)]
    figures = {
        how: {name: round(median(run[how][name] for run in runs), 2) for name in runs[0][how]}
        for how in runs[0]
    }
    print(json.dumps(figures, indent=1))
    if told.json:
        told.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
