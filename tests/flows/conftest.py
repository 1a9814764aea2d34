"""A real server that knows what prefect.yaml deploys (starting it takes 30 s), and a night on it.

It has no worker but in that night.
"""

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from flows.settings import WEBHOOK
from tests.pipeline_world import ratings, split, store  # noqa: F401
from tests.runs import FEW
from tests.servers import PREFECT, beside_server, deploy, finished, server, worker

SOON = {  # the server looks each second for runs that are late since one
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
}


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    """The environment of that server, and of who talks to it."""
    folder = tmp_path_factory.mktemp("server")
    environment = beside_server(folder, folder / "store") | SOON
    environment.pop(WEBHOOK, None)
    with server(environment):
        deploy(environment)
        yield environment


class Night(NamedTuple):
    """A run of the smoke profile under a worker, and one of a profile that there is not."""

    store: Path
    worker_log: str
    refused: int  # exit status of who watched the other


@pytest.fixture(scope="session")
def night(deployed, few_users, tmp_path_factory):
    """Both have ended, and so has the worker."""
    folder = tmp_path_factory.mktemp("night")
    environment = deployed | {"CONTENT_ADVISOR_STORE": str(folder)}
    run = [PREFECT, "deployment", "run", "nightly/on-demand", "--watch"]
    run += ["-p", f"data={few_users}", "-p", f"overrides={json.dumps(FEW)}", "-p"]
    with worker(environment):
        finished([*run, "profile=smoke"], environment)
        refused = subprocess.run([*run, "profile=none"], env=environment, capture_output=True)
    log = Path(environment["PREFECT_HOME"], "worker.log").read_text()
    return Night(folder, log, refused.returncode)


@pytest.fixture(scope="module")
def client(deployed):
    """Who asks that server; flows that run in this process ask it as well."""
    with (
        temporary_settings({PREFECT_API_URL: deployed["PREFECT_API_URL"]}),
        get_client(sync_client=True) as client,
    ):
        yield client


@pytest.fixture
def by_hand(client):
    """Makes a run as a person does, and puts it into states."""
    made = []

    def run(name, *into, due):
        of = client.read_deployment_by_name(name).id
        made.append(client.create_flow_run_from_deployment(of, state=Scheduled(scheduled_time=due)))
        for state in into:
            client.set_flow_run_state(made[-1].id, state, force=True)
        return made[-1]

    yield run
    for one in made:
        client.delete_flow_run(one.id)
