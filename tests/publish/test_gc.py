"""What neither the newest runs nor champions depend on is deleted, and never during a run."""

import dataclasses

import pytest

from flows.gc import collect_garbage
from tasks.metrics_db import gc_roots
from tasks.metrics_location import metrics_path
from tasks.publish.opponent import Decision
from tasks.store.artifacts import Adapter, Scores
from tasks.store.garbage import find_unreachable
from tasks.store.store import StoreBusyError
from tests.world import PREDICTED

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


def garbage(store, keep):
    found = find_unreachable(store, gc_roots(metrics_path(store), keep), draft_days=7)
    return [item.kind for item in found]


def test_the_newest_runs_stay_without_their_rejected_adapters(store, two_runs):
    two_runs(promoted=[False, False])
    assert garbage(store, keep=2) == ["adapter", "adapter"]  # no stage of either run made one
    assert garbage(store, keep=1) == ["adapter", "adapter", "rating-predictions", "scores"]


def test_the_run_of_the_champion_stays(store, two_runs):
    two_runs(promoted=[True, False])
    assert garbage(store, keep=1) == ["adapter"]


def test_an_earlier_champion_stays_without_its_run(store, two_runs):
    two_runs(promoted=[True, True])
    assert garbage(store, keep=1) == ["rating-predictions", "scores"]


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
