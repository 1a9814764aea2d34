"""A Prefect server, what prefect.yaml deploys, the alerts for late runs, and a worker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flows.errors import ROOT
from flows.overrides import SettingsError
from flows.settings import WEBHOOK, webhook

PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")
POOL = ("local", "--type", "process")


def serve(port: int) -> None:
    """Serve until interrupted. Raises SettingsError where the server does not start."""
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"  # read by these processes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), _server(port):
        _run(*PREFECT, "work-pool", "create", *POOL, "--overwrite")
        _run(*PREFECT, "deploy", "--all")
        _run(sys.executable, "-m", "flows", "alerts")
        _run(*PREFECT, "worker", "start", "--pool", *POOL, "--limit", "1")


def print_triggers(start_within: float = 15, end_within: float = 6) -> None:
    """Create the triggers of `late_runs` on the server, and print what was done to each."""
    if not (address := webhook()):
        print(f"{WEBHOOK} is not set: late runs are shown in Prefect's UI only")
        return
    from prefect.exceptions import ObjectNotFound

    from flows.late_runs import DEPLOYMENT, create_triggers, triggers

    try:
        for done in create_triggers(address, triggers(start_within, end_within)):
            print(done)
    except ObjectNotFound:
        deploy = "prefect --no-prompt deploy --all"
        raise SettingsError(f"no deployment {DEPLOYMENT}: run {deploy} first") from None


@contextmanager
def _server(port: int) -> Iterator[None]:
    start = (*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port))
    with subprocess.Popen(start, cwd=ROOT) as server:
        try:
            _run(*PREFECT, "server", "status", "--wait", "--timeout", "60")
            if server.poll() is not None:
                raise SettingsError(f"the server has ended: is port {port} free?")
            yield
        finally:
            server.terminate()


def _run(*command: str) -> None:
    """Raises SettingsError where the command fails."""
    ran = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if ran.returncode:
        raise SettingsError(f"{' '.join(command[1:])} failed: see above")
