"""A real server without a worker tells of failed runs, and crashes those whose process is gone."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Crashed, Failed, Pending, Running

from flows.alerts import FAILED_RUNS, Alert, on_run_failure
from flows.automations import create_automations, save_webhook
from flows.failed_runs import failure_trigger, lost_triggers
from flows.gc import gc
from flows.serve import print_triggers
from flows.settings import WEBHOOK, WEBHOOK_BLOCK
from tests.servers import wait_until, webhook

SECONDS = 10 / 60  # minutes: less than that the server does not take
HOSTILE = """no file "a'b\\c" <in> {{ here }}\nlines"""


@pytest.fixture
def automations(client):
    """Deletes what a test creates."""
    before = {one.id for one in client.read_automations()}
    yield
    for one in client.read_automations():
        if one.id not in before:
            client.delete_automation(one.id)


@pytest.fixture
def payloads(client, automations):
    """What a webhook receives that is told of failed runs."""
    with webhook() as (address, payloads):
        list(create_automations([failure_trigger(save_webhook(address))]))
        yield payloads


def payload(run, flow, happened):
    source = f"flow run {run.name} of deployment {flow}/{flow}"
    return Alert(f"{flow} {happened}", source, f"prefect flow-run logs {run.id}").payload


def test_without_a_webhook_lost_runs_are_crashed_all_the_same(
    client, automations, monkeypatch, capsys
):
    monkeypatch.delenv(WEBHOOK, raising=False)
    with suppress(ObjectNotFound):
        block = client.read_block_document_by_name(WEBHOOK_BLOCK, "webhook")
        client.delete_block_document(block.id)
    before = len(client.read_automations())
    print_triggers()
    printed = capsys.readouterr().out.splitlines()
    assert (
        printed[0] == f"{WEBHOOK} is not set: failed and late runs are shown in Prefect's UI only"
    )
    assert len(printed) == 3
    assert len(client.read_automations()) <= before + 2


def test_a_failed_or_crashed_run_of_any_deployment_is_told_once(by_hand, payloads):
    now = datetime.now(UTC)
    failed = by_hand("gc/gc", Running(), Failed(message=HOSTILE), due=now)
    crashed = by_hand("recommend/recommend", Running(), Crashed(message="killed"), due=now)
    by_hand("gc/gc", Running(), Completed(), due=now)
    expected = [
        payload(failed, "gc", f"failed: {HOSTILE}"),
        payload(crashed, "recommend", "crashed: killed"),
    ]
    wait_until(lambda: len(payloads) > 1, seconds=60)
    assert sorted(payloads, key=str) == sorted(expected, key=str)


def test_a_hook_leaves_a_deployments_run_to_the_server(by_hand, payloads):
    run = by_hand("gc/gc", due=datetime.now(UTC))
    alone = run.model_copy(update={"deployment_id": None})
    state = Failed(message="why")
    on_run_failure(gc, run, state)
    on_run_failure(gc, alone, state)
    assert [one["summary"] for one in payloads] == ["gc failed: why"]


def test_a_hook_tells_itself_where_the_server_does_not(by_hand, payloads, client):
    (told,) = client.read_automations_by_name(FAILED_RUNS)
    client.delete_automation(told.id)
    on_run_failure(gc, by_hand("gc/gc", due=datetime.now(UTC)), Failed())
    assert len(payloads) == 1


def test_a_run_without_heartbeats_or_that_never_begins_is_crashed_and_told(
    client, by_hand, payloads
):
    list(create_automations(lost_triggers(SECONDS, SECONDS)))
    now = datetime.now(UTC)
    silent, claimed, done = (
        by_hand("gc/gc", *into, due=now) for into in ([Running()], [Pending()], [Running()])
    )
    for run in (silent, done):
        emit_event(
            "prefect.flow-run.heartbeat",
            {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
            related=[],
        )
    EventsWorker.instance().drain()
    client.set_flow_run_state(done.id, Completed())
    wait_until(lambda: len(payloads) > 1, seconds=60)
    states = [client.read_flow_run(run.id).state for run in (silent, claimed, done)]
    assert [state.name for state in states] == ["Crashed", "Crashed", "Completed"]
    assert states[0].message.startswith("no heartbeat for ")
    assert {one["summary"] for one in payloads} == {
        f"gc crashed: {state.message}" for state in states[:2]
    }
