"""Server, worker and run are killed at once: the next scheduled run works."""

import json
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from flows.settings import WEBHOOK
from tests.runs import FEW
from tests.servers import (
    PREFECT,
    beside_server,
    deploy,
    finished,
    server,
    wait_until,
    webhook,
    worker,
)

pytestmark = pytest.mark.chaos
# Of the runs that have sent a heartbeat, and so are followed.
FOLLOWED = "select count(*) from automation_bucket where last_event like '%heartbeat%'"
AN_HOUR_AGO = """update automation_bucket set
    start = datetime(start, '-1 hour') || '.000000',
    "end" = datetime("end", '-1 hour') || '.000000'"""


def cut_the_power(*processes: psutil.Popen) -> None:
    """Kill them and all that they have started, as a machine that goes out does."""
    everyone = [psutil.Process(one.pid) for one in processes]
    for one in [child for each in everyone for child in each.children(recursive=True)] + everyone:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


def named(state: str) -> list[FlowRun]:
    """The runs in a state, by their schedule."""
    wanted = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[state])),
    )
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_ASC
        )


def count(database: Path, query: str) -> int:
    """What it counts in the server's database."""
    with closing(sqlite3.connect(database, timeout=60)) as state:
        return state.execute(query).fetchone()[0]


def execute(database: Path, statement: str) -> None:
    """Change the server's database."""
    with closing(sqlite3.connect(database, timeout=60)) as state, state:
        state.execute(statement)


def begin_next_run() -> FlowRun:
    """Have the next run that the server's scheduler has made begin now."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("nightly/nightly").id
        due = [run for run in named("Scheduled") if run.deployment_id == deployment]
        client.set_flow_run_state(due[0].id, Scheduled(scheduled_time=datetime.now(UTC)))
    return due[0]


def test_after_a_power_cut_the_next_scheduled_run_works(tmp_path: Path, few_users: Path) -> None:
    root, database = tmp_path / "store", tmp_path / "prefect" / "prefect.db"
    with webhook() as (address, told):
        environment = beside_server(tmp_path, root) | {
            WEBHOOK: address,
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }
        overrides = f"overrides={json.dumps(FEW | {'ingest': {'data': str(few_users)}})}"
        nightly = [PREFECT, "--no-prompt", "deploy", "-n", "nightly", "--param", "profile=smoke"]
        with (
            temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
            server(environment) as first,
        ):
            deploy(environment)
            finished([*nightly, "--param", overrides], environment)
            finished([sys.executable, "-m", "flows", "alerts"], environment)
            with worker(environment) as its_worker:
                wait_until(lambda: bool(named("Scheduled")), seconds=120)
                dead = begin_next_run()
                wait_until(lambda: bool(list(root.glob("*/*/[!.]*/manifest.json"))), seconds=600)
                wait_until(lambda: count(database, FOLLOWED) > 0, seconds=60)
                cut_the_power(first, its_worker)
        execute(database, AN_HOUR_AGO)  # so long it stayed away
        assert told == []
        with (
            temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
            server(environment),
            worker(environment),
        ):
            wait_until(lambda: [run.id for run in named("Crashed")] == [dead.id], seconds=120)
            next_one = begin_next_run()
            wait_until(lambda: [run.id for run in named("Running")] == [next_one.id], seconds=300)
