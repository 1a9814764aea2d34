"""A run's log says which stage of how many has begun, and how much time is left."""

import logging
from typing import Any

import pytest
from prefect import task
from prefect.testing.utilities import prefect_test_harness

from flows.stages import Stages
from tasks.store.artifacts import Report, Scores
from tasks.store.store import Store


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Any:
    with prefect_test_harness(server_startup_timeout=180):
        yield


@task
def make(kind: type, number: int, *, store: Store) -> Any:
    return store.build(kind, recipe={"number": number}, write=lambda draft: None)


def test_stages_are_numbered_and_the_time_left_is_that_of_the_last_run(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Scores, "tables", {})
    caplog.set_level(logging.INFO, logger="flows.stages")
    store = Store(tmp_path)
    make(Report, 1, store=store)
    costs = [("report", 300.0), ("scores", 60.0), ("report", 20.0)]
    stages = Stages(["find", "first", "not needed", "second", "third"], costs)
    stages("find", make)(Report, 1, store=store)
    stages.skip("not needed")
    stages("first", make)(Report, 2, store=store)
    stages("second", make)(Scores, 3, store=store)
    stages("third", make)(Report, 4, store=store)
    assert [record.getMessage() for record in caplog.records if record.name == "flows.stages"] == [
        "stage 1 of 5, find",
        "stage 2 of 4, first",  # what was reused says nothing about the time left
        "stage 3 of 4, second, about 60 s left",
        "stage 4 of 4, third",
    ]
