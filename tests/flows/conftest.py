"""A real server that knows what prefect.yaml deploys, and has no worker: starting it takes 30 s."""

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from flows.settings import WEBHOOK
from tests.servers import beside_server, deploy, server

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
