"""After days without a worker only the newest missed run works, beside a real server."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.flow_engine import run_flow

from flows.gc import gc
from flows.nightly import nightly
from tasks.metrics_db import atomic_update
from tasks.metrics_location import metrics_path
from tasks.store.store import Store
from tests.servers import wait_until, worker


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store in which a run was published that depends on nothing."""
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(tmp_path))
    store = Store(tmp_path)
    with atomic_update(metrics_path(store)):
        return store


@pytest.fixture
def missed(client):
    """The runs that the server's scheduler makes for past days, the oldest first."""
    made = []

    def runs(name, *, days):
        deployment = client.read_deployment_by_name(name).id
        now = datetime.now(UTC)
        past = {"start_time": str(now - timedelta(days)), "end_time": str(now)}
        where = {"id": deployment}
        client.request(
            "POST", "/deployments/{id}/schedule", path_params=where, json=past | {"min_runs": days}
        ).raise_for_status()
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(before_=now)
            ),
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        )
        made.extend(sorted(found, key=lambda run: run.expected_start_time))
        return list(made)

    yield runs
    for run in made:
        client.delete_flow_run(run.id)


def states(client, runs):
    return [client.read_flow_run(run.id).state for run in runs]


def newer(run):
    return f"a newer run is due: {run.expected_start_time:%Y-%m-%d %H:%M} UTC"


def test_a_run_that_a_newer_one_replaces_is_cancelled_and_leaves_the_store_alone(
    client, missed, store
):
    runs = missed("nightly/nightly", days=3)
    before = sorted(store.root.rglob("*"))
    assert run_flow(nightly, flow_run=runs[0], return_type="state").is_cancelled()
    *old, newest = states(client, runs)
    assert [(state.name, state.message) for state in old] == [("Cancelled", newer(runs[2]))] * 2
    assert newest.is_scheduled()
    assert sorted(store.root.rglob("*")) == before


def test_of_many_that_start_at_once_the_newest_works(client, store, missed, by_hand):
    runs = missed("gc/gc", days=50)
    person = by_hand("gc/gc", due=datetime.now(UTC))
    with ThreadPoolExecutor(len(runs)) as threads:
        # The server's address is in a context variable.
        started = [
            threads.submit(copy_context().run, run_flow, gc, flow_run=run, return_type="state")
            for run in runs
        ]
    assert len([one.result() for one in started]) == 7
    assert [state.name for state in states(client, runs)] == ["Cancelled"] * 6 + ["Completed"]
    assert states(client, [person])[0].is_scheduled()


def test_after_downtime_a_worker_runs_the_newest_and_what_a_person_asked_for(
    client, deployed, store, missed, by_hand
):
    first, middle, newest = missed("gc/gc", days=21)
    person = by_hand("gc/gc", due=middle.expected_start_time)
    everyone = [first, middle, person, newest]
    with worker(deployed | {"CONTENT_ADVISOR_STORE": str(store.root)}):
        wait_until(lambda: all(s.is_final() for s in states(client, everyone)), seconds=180)
    ended = states(client, everyone)
    assert [state.name for state in ended] == ["Cancelled", "Cancelled", "Completed", "Completed"]
    assert [state.message for state in ended[:2]] == [newer(newest)] * 2
    assert client.read_flow_run(middle.id).run_count == 0  # it needed no process
