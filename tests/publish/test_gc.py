"""What neither the newest runs nor champions depend on is deleted, and never during a run."""

import dataclasses

import pytest

from flows.gc import collect_garbage
from tasks.metrics_db import find_champion, gc_roots
from tasks.metrics_location import metrics_path
from tasks.publish.opponent import Decision
from tasks.publish.task import roll_back
from tasks.store.artifacts import Adapter, RankedLists, Scores
from tasks.store.garbage import find_unreachable
from tasks.store.store import StoreBusyError, StoreError
from tests.world import LISTED, PREDICTED

NO = Decision(promoted=False, reason="by hand")
OTHER = [(*row[:3], row[3] + 0.5, *row[4:]) for row in PREDICTED]


@pytest.fixture
def two_runs(publish_run, challenge):
    """`two_runs(promoted)`: runs of different predictions, whose adapters are promoted or not."""

    def build(promoted):
        for number, rows in enumerate((OTHER, PREDICTED)):
            decision = Decision(promoted=promoted[number], reason="by hand")
            one = dataclasses.replace(challenge(f"adapter {number}"), default_decision=decision)
            publish_run(one, rows, seed=0)

    return build


@pytest.fixture(autouse=True)
def _a_week_later(monkeypatch):
    """What was finished this week is spared: `tests/store/test_garbage.py`."""
    monkeypatch.setattr("flows.gc.SPARED_DAYS", 0)


def garbage(store, keep):
    found = find_unreachable(store, gc_roots(metrics_path(store), keep), spared_days=0)
    return [item.kind for item in found]


def test_the_newest_runs_stay_without_their_rejected_adapters(store, two_runs):
    two_runs(promoted=[False, False])
    adapters = ["adapter", "adapter", "base", "prompts", "tokenizer"]  # stages of neither run
    assert sorted(garbage(store, keep=2)) == adapters
    assert sorted(garbage(store, keep=1)) == sorted([*adapters, "rating-predictions", "scores"])


def test_the_run_of_the_champion_stays(store, two_runs):
    two_runs(promoted=[True, False])
    assert garbage(store, keep=1) == ["adapter"]


def test_an_earlier_champion_stays_without_its_run(store, two_runs):
    two_runs(promoted=[True, True])
    assert garbage(store, keep=1) == ["rating-predictions", "scores"]


@pytest.mark.parametrize("keep", [0, 1])
def test_a_rollback_finds_what_it_returns_to_and_its_lists_after_gc(
    store, publish_run, challenge, keep
):
    """Also where the lists of each champion are its own, which `recommend` reads."""
    films = {user: list(reversed(listed)) for user, listed in LISTED.items()}
    first, second = challenge("first"), challenge("second")
    publish_run(first, OTHER, films)
    lists = {found.fingerprint for found in store.find_all(RankedLists)}
    publish_run(second)
    collect_garbage(keep, apply=True, store=store)
    assert lists <= {found.fingerprint for found in store.find_all(RankedLists)}
    assert roll_back.fn(to="", store=store) == first.challenger.fingerprint


def test_a_rollback_to_a_rejected_adapter_that_gc_took_is_refused(store, publish_run, challenge):
    publish_run(challenge("first"))
    rejected = challenge("second", "first")
    publish_run(dataclasses.replace(rejected, champion=None, default_decision=NO), seed=1)
    publish_run(challenge("third"), seed=2)
    collect_garbage(1, apply=True, store=store)
    with pytest.raises(StoreError, match=f'begin with "{rejected.challenger.fingerprint}"'):
        roll_back.fn(to=rejected.challenger.fingerprint[:8], store=store)
    assert find_champion(metrics_path(store)) == challenge("third").challenger.fingerprint


def test_garbage_is_listed_before_it_is_deleted(store, two_runs):
    two_runs(promoted=[True, True])
    listed = collect_garbage(1, apply=False, store=store)
    assert [(row["kind"], row["folders"]) for row in listed] == [
        ("rating-predictions", "1"),
        ("scores", "1"),
    ]
    assert len(store.find_all(Scores)) == 2
    assert collect_garbage(1, apply=True, store=store) == listed
    assert collect_garbage(1, apply=False, store=store) == []
    assert len(store.find_all(Scores)) == 1
    assert len(store.find_all(Adapter)) == 2


def test_nothing_is_deleted_during_a_run(store, two_runs):
    two_runs(promoted=[True, True])
    with (
        store.exclusive_lock("a run of profile smoke", wait=False),
        pytest.raises(
            StoreBusyError, match=r"a run of profile smoke \(process \d+ on \S+, since 20"
        ),
    ):
        collect_garbage(1, apply=True, store=store)
    assert len(garbage(store, keep=1)) == 2
