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
    from flows.server_access import CLIENT, PROFILE, read_secret, save_profile, secret_file

    address = f"http://127.0.0.1:{port}"
    os.environ["PREFECT_API_URL"] = f"{address}/api"  # read by these processes
    os.environ[CLIENT] = read_secret()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), _server(port, address):
        save_profile(f"{address}/api")
        _run(*PREFECT, "work-pool", "create", *POOL, "--overwrite")
        _run(*PREFECT, "deploy", "--all")
        _run(sys.executable, "-m", "flows", "alerts")
        print(
            f"UI: {address}, log in with the line in {secret_file()}\n"
            f"command line: .venv/bin/prefect --profile {PROFILE} flow-run ls",
            flush=True,
        )
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
def _server(port: int, origin: str) -> Iterator[None]:
    """A server on loopback that answers its own pages, and who has the secret."""
    from flows.server_access import CLIENT, ORIGINS, SERVER

    start = (*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port))
    environment = os.environ | {SERVER: os.environ[CLIENT], ORIGINS: origin}
    with subprocess.Popen(start, cwd=ROOT, env=environment) as server:
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
