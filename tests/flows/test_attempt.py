"""What passes is tried again; a busy store and a run that takes too long have their own states."""

from threading import Event

import httpx
import huggingface_hub.errors
import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import attempt as module
from flows import retries
from flows.attempt import RunTimeoutError, attempt, time_limit
from flows.retries import may_pass, resilient
from flows.settings import load
from tasks.download import SourceError, UnreachableError
from tasks.store.remote.errors import ConflictError, CorruptArtifactError, UnreachableRemoteError
from tasks.store.store import Store
from tasks.train.task import train_adapter

httpx2 = pytest.importorskip("httpx2")  # the client of huggingface_hub
SOON = 0.2 / 3600  # hours


def raised(error, cause):
    """As `raise error from cause` leaves it."""
    error.__cause__ = cause
    return error


def of_hub(status):
    answer = httpx2.Response(status, request=httpx2.Request("GET", "http://hub"))
    return huggingface_hub.errors.HfHubHTTPError("no", response=answer)


PASSING = [
    UnreachableError("a download broke off"),
    UnreachableRemoteError("a bucket does not answer"),
    ConflictError("another machine has published"),
    httpx.ConnectError("the Prefect server is gone"),
    raised(FileNotFoundError("the hub"), httpx2.ReadTimeout("no answer")),
    raised(FileNotFoundError("the hub"), of_hub(503)),
]
LASTING = [
    SourceError("not a table"),
    CorruptArtifactError("a file of the bucket"),
    raised(FileNotFoundError("the hub"), of_hub(404)),
    RunTimeoutError("too long"),
    ValueError("a bug"),
]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(retries, "SECONDS", [0, 0])
    monkeypatch.setattr(module, "PAUSE", 0)


def failing(*errors):
    """Work that raises them in order, and then returns how often it was done."""
    waiting, done = list(errors), []

    def work():
        done.append(1)
        if waiting:
            raise waiting.pop(0)
        return len(done)

    return work


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_is_tried_once_more(error, impatient):
    assert may_pass(error)
    assert attempt(failing(error)) == 2
    with pytest.raises(type(error)):
        attempt(failing(error, error))


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_what_lasts_is_not(error):
    assert not may_pass(error)


def test_a_bug_is_raised_at_once():
    work = failing(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        attempt(work)
    assert work() == 2


def test_a_busy_store_cancels_whatever_wants_it(store):
    def work():
        with Store(store.root).exclusive_lock("me", wait=False):
            raise AssertionError

    with store.exclusive_lock("another run", wait=False):
        state = attempt(work)
    assert state.is_cancelled()
    assert state.message.startswith("another run (process ")


def test_a_run_that_takes_too_long_is_timed_out(client):
    @flow
    def slow():
        def work():
            with time_limit(SOON):
                while True:
                    Event().wait(0.01)

        return attempt(work)

    state = slow(return_state=True)
    kept = client.read_flow_run(state.state_details.flow_run_id).state
    for one in (state, kept):
        assert (one.name, one.type.value) == ("TimedOut", "FAILED")
        assert one.message.startswith("not done within ")


def test_each_profile_has_a_time_limit():
    assert load("smoke").timeout_hours < load("laptop").timeout_hours < load("legacy").timeout_hours


def test_a_task_is_tried_again_where_a_server_did_not_answer(client, impatient):
    passing = failing(*[UnreachableRemoteError("a bucket")] * 2)
    lasting = failing(SourceError("not a table"))

    @flow
    def both():
        assert resilient(task(passing), "fetch it")() == 3
        return resilient(task(lasting), "read it")(return_state=True)

    assert both(return_state=True).is_failed()
    assert lasting() == 2  # so it was done once before


def test_prefect_computes_no_cache_keys():
    assert train_adapter.cache_policy is NO_CACHE
    assert resilient(train_adapter, "train").cache_policy is NO_CACHE
