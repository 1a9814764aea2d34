"""A Prefect server, what prefect.yaml deploys, its automations, and a worker."""

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
STORE_QUEUE = ("store", "1", "--pool", "local")  # its runs work on the store: one at a time
RUNS = "3"  # of a worker at a time: beside that one, two that only read, or take a second


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
        _run(*PREFECT, "work-queue", "set-concurrency-limit", *STORE_QUEUE)
        _run(sys.executable, "-m", "flows", "alerts")
        print(
            f"UI: {address}, log in with the line in {secret_file()}\n"
            f"command line: .venv/bin/prefect --profile {PROFILE} flow-run ls",
            flush=True,
        )
        _run(*PREFECT, "worker", "start", "--pool", *POOL, "--limit", RUNS)


def print_triggers(
    start_within: float = 15, end_within: float = 6, lost_after: float = 7, begin_within: float = 10
) -> None:
    """Create the server's automations for runs, and print what was done to each.

    Raises SettingsError where the server does not know the deployments.
    """
    from prefect.exceptions import ObjectNotFound

    from flows.automations import create_automations, save_webhook
    from flows.failed_runs import failure_trigger, lost_triggers
    from flows.late_runs import DEPLOYMENT, late_triggers

    triggers = lost_triggers(lost_after, begin_within)
    try:
        if address := webhook():
            block = save_webhook(address)
            late = late_triggers(block, start_within, end_within)
            triggers += [failure_trigger(block), *late]
        else:
            print(f"{WEBHOOK} is not set: failed and late runs are shown in Prefect's UI only")
        for done in create_automations(triggers):
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
