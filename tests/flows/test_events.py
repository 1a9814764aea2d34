"""A real server keeps an event of each decision and of what was served, once."""

from datetime import UTC, datetime

import pytest
from prefect import flow
from prefect.events.worker import EventsWorker

from flows import events
from flows.events import emit_decision, emit_refused, emit_served
from tasks.metrics_db import atomic_update
from tasks.metrics_location import metrics_path
from tasks.publish.decision import read_decision
from tasks.serve.figures import Figures
from tasks.serve.record import Serve
from tasks.store.artifacts import SplitRatings
from tasks.store.store import Store
from tests.servers import wait_until

DECISIONS = [
    ("first", None, True, "the first", []),
    ("worse", "first", False, "a loss", [("rmse", "everyone", 0.2, 0.1, False)]),
    ("odd", "first", False, "data", [("data", "volume", 30.0, 20.0, False)]),
]


@pytest.fixture
def store(tmp_path):
    """A store in which three runs decided."""
    store = Store(tmp_path)
    with atomic_update(metrics_path(store)) as db:
        for run, champion, promoted, reason, checks in DECISIONS:
            row = [run, datetime.now(UTC), f"adapter-{run}", champion, promoted, reason]
            db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)
            for check in checks:
                db.execute("insert into checks values (?, ?, ?, ?, ?, ?)", [run, *check])
    return store


def served(refused=None):
    figures = Figures(**dict.fromkeys(Figures.__dataclass_fields__, 0))
    at = datetime(2026, 11, 26, tzinfo=UTC)
    return Serve(at, f"lists-{refused}", "first", "data", "small", refused, figures)


def found(client, about):
    """Events about these resources: other tests' runs have theirs on the same server."""
    answer = client.request(
        "POST", "/events/filter", json={"filter": {"event": {"prefix": ["content-advisor."]}}}
    )
    pairs = [
        (one["event"].split(".")[1], one["resource"]["prefect.resource.id"].split(".")[-1])
        for one in answer.json()["events"]
    ]
    return [pair for pair in pairs if pair[1] in about]


def test_each_decision_and_serve_is_an_event_that_is_kept_once(client, store):
    @flow
    def twice():
        for _ in range(2):
            for run, *_ in DECISIONS:
                emit_decision(run, store)
            emit_decision("of a second table", store)
            emit_served(served())
            emit_served(served("too few users"))
            emit_refused(SplitRatings(store.root, "requests-sated"), "no film is left")

    twice()
    EventsWorker.instance().drain()
    expected = {
        ("promoted", "adapter-first"),
        ("rejected", "adapter-worse"),
        ("rejected", "adapter-odd"),
        ("drift", "adapter-odd"),
        ("served", "lists-None"),
        ("refused", "lists-too few users"),
        ("refused", "requests-sated"),
    }
    about = {name for _, name in expected}
    wait_until(lambda: len(found(client, about)) >= len(expected), seconds=30)
    assert sorted(found(client, about)) == sorted(expected)


def test_outside_of_a_flow_run_nothing_is_sent(monkeypatch, store):
    sent = []
    monkeypatch.setattr(events, "emit_event", lambda *args, **kwargs: sent.append(args))
    emit_decision("first", store)
    emit_served(served())
    assert sent == []


def test_a_decision_is_read_with_its_checks(store):
    decision = read_decision(metrics_path(store), "odd")
    assert (decision.promoted, decision.previous_champion) == (False, "first")
    assert [check.slice_value for check in decision.drifted] == ["volume"]
    assert read_decision(metrics_path(store), "none") is None
