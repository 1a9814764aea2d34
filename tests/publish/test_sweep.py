"""What goes is what nobody stands on, and never while a night is at work."""

import dataclasses
import os
import time

import pytest

from flows.gc import collect_garbage
from tasks.metrics_db import gc_roots
from tasks.publish.task import metric_file, publish
from tasks.score.task import Score, score
from tasks.store.artifacts import Adapter, RatingPredictions, Scores, SplitRatings, ValidatedRatings
from tasks.store.garbage import delete, find_unreachable
from tasks.store.store import StoreBusyError
from tests.world import PREDICTED

OTHER = [(*row[:3], row[3] + 0.5, *row[4:]) for row in PREDICTED]


@pytest.fixture
def nights(store, split, ratings, predict, rank, contest):
    """Two nights that differ in what was said; `promoted` says which adapters became champion."""

    def walk(promoted):
        for number, rows in enumerate((OTHER, PREDICTED)):
            parts = [predict("llm", rows), predict("bias")], [rank("llm"), rank("bias")]
            config = Score(ks=(4,), resamples=100)
            scores = score.fn(split, ratings, *parts, config=config, store=store)
            settled = (promoted[number], "by hand")
            one = dataclasses.replace(contest(f"adapter {number}"), settled=settled)
            publish.fn(
                scores, [ratings, split, *parts[0], *parts[1]],
                profile="smoke", commit=None, contest=one, store=store,
            )  # fmt: skip

    return walk


def going(store, keep):
    found = find_unreachable(store, gc_roots(metric_file(store), keep), draft_days=7)
    return [leftover.kind for leftover in found]


def test_what_the_newest_night_stands_on_stays(store, nights):
    nights(promoted=[False, False])
    assert going(store, keep=2) == ["adapter", "adapter"]  # neither is a champion, nor of a stage
    assert going(store, keep=1) == ["adapter", "adapter", "rating-predictions", "scores"]
    delete(find_unreachable(store, gc_roots(metric_file(store), 1), draft_days=7))
    assert going(store, keep=1) == []
    left = [
        len(store.find_all(kind))
        for kind in (ValidatedRatings, SplitRatings, RatingPredictions, Scores)
    ]
    assert left == [1, 1, 2, 1]
    assert store.find_all(Adapter) == []
    assert not list(store.root.glob("*/*/.gone-*"))


def test_champions_stay_and_the_night_of_the_one_in_use(store, nights):
    nights(promoted=[True, False])
    assert going(store, keep=1) == ["adapter"]


def test_an_earlier_champion_stays_without_its_night(store, nights):
    nights(promoted=[True, True])
    assert going(store, keep=1) == ["rating-predictions", "scores"]


def test_a_draft_stays_while_a_night_may_go_on_with_it(store, nights):
    nights(promoted=[True, True])
    draft = store.root / "artifacts" / "adapter" / ".draft-0123"
    (draft / "checkpoint").mkdir(parents=True)
    (draft / "checkpoint" / "state").write_text("half")
    assert going(store, keep=2) == []
    old = time.time() - 8 * 24 * 3600
    for path in (draft / "checkpoint" / "state", draft / "checkpoint", draft):
        os.utime(path, (old, old))
    assert going(store, keep=2) == ["adapter"]


def test_what_a_killed_sweep_has_hidden_goes_with_the_next(store, nights):
    nights(promoted=[True, True])
    hidden = store.root / "data" / "split-ratings" / ".gone-0123"
    hidden.mkdir(parents=True)
    assert going(store, keep=2) == ["split-ratings"]


def test_it_is_shown_before_it_goes(store, nights):
    nights(promoted=[True, True])
    shown = collect_garbage(1, apply=False, store=store)
    assert [(row["kind"], row["folders"]) for row in shown] == [
        ("rating-predictions", "1"),
        ("scores", "1"),
    ]
    assert collect_garbage(1, apply=True, store=store) == shown
    assert collect_garbage(1, apply=False, store=store) == []


def test_nothing_goes_while_a_night_is_at_work(store, nights):
    nights(promoted=[True, True])
    with (
        store.exclusive_lock("a run of profile smoke", wait=False),
        pytest.raises(
            StoreBusyError, match=r"a run of profile smoke \(process \d+ on \S+, since 20"
        ),
    ):
        collect_garbage(1, apply=True, store=store)
    assert len(going(store, keep=1)) == 2
