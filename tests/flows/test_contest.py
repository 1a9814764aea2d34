"""Nights one after the other: the second competes with the first, and a person may go back."""

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.contest import contested
from flows.gc import swept
from flows.nightly import nightly
from flows.prepare import prepared
from flows.recommend import of_the_champion
from flows.rollback import rollback
from flows.settings import load
from tasks.artifacts import Adapter
from tasks.publish.task import metric_file
from tasks.store import Store
from tasks.warehouse import champion, reading
from tests.world import typed

FEW = {
    "baseline": {"rated": ["bias"], "listed": ["popularity"], "blended": ["llm", "bias"]},
    "probe": {"spoilings": ["empty"]},
}


def night(seed, **changes):
    return nightly("smoke", changes=FEW | {"train": {"fit": {"seed": seed}}} | changes)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of two nights that differ in the seed of their training."""
    root = tmp_path_factory.mktemp("nights")
    with prefect_test_harness(), pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONTENT_ADVISOR_STORE", str(root))
        night(0)
        night(1)
        yield Store(root)


@pytest.fixture
def challenger(store):
    """An adapter that no night has decided on."""

    def write(draft):
        typed(Adapter, "history", {}).write_parquet(draft / "history.parquet")

    return store.build(Adapter, recipe={"by": "hand"}, write=write)


def rows(store, query):
    with reading(metric_file(store)) as db:
        return db.execute(query).fetchall()


def test_the_second_night_is_held_against_the_first(store):
    first, second = rows(store, "select adapter, champion, promoted from champions order by all")
    if first[1]:
        first, second = second, first
    assert (first[1], first[2]) == (None, True)
    assert second[1] == first[0]
    compared = rows(
        store, "select count(*) from comparisons where against = 'champion' and predictor = 'llm'"
    )
    assert compared[0][0] > 100
    assert rows(store, "select count(*) from checks") > [(20,)]


def test_a_night_that_is_run_again_is_the_same_run(store):
    before = rows(store, "select run_id from runs order by run_at")
    assert night(1) == before[1][0]
    assert rows(store, "select run_id from runs order by run_at") == before
    assert len(rows(store, "select * from champions")) == 2


def test_recommendations_are_the_champions(store):
    for _ in range(2):
        of = store.parent(Adapter, of_the_champion(store)).fingerprint
        assert of == champion(metric_file(store))
        rollback()


def test_nobody_competes_with_who_was_held_to_another_split(store, challenger):
    settings = load("smoke", FEW | {"split": {"ties": "film"}})
    contest = contested(settings, store, prepared(settings, store), challenger)
    assert contest.champion is None
    assert contest.settled == (True, "the first that was held to this split of these data")


def test_a_night_of_an_earlier_day_dethrones_nobody(store, challenger):
    settings = load("smoke", FEW | {"ingest": {"as_of": "1998-03-01"}})
    contest = contested(settings, store, prepared(settings, store), challenger)
    assert contest.champion is None
    assert contest.settled[0] is False
    assert "a later day" in contest.settled[1]


def test_a_champion_that_is_gone_is_missed_and_followed(store, challenger):
    settings = load("smoke", FEW)
    data = prepared(settings, store)
    known = contested(settings, store, data, challenger).champion
    assert known.fingerprint == champion(metric_file(store))
    aside = known.path.rename(known.path.with_name(".aside"))
    contest = contested(settings, store, data, challenger)
    aside.rename(known.path)
    assert contest.settled == (True, f"the champion {known.fingerprint} is no longer in the store")


def test_after_a_sweep_the_newest_night_is_still_whole(store):
    before = rows(store, "select run_id from runs order by run_at")
    assert swept(1, apply=True, store=store)
    assert night(1) == before[1][0]
    assert rows(store, "select run_id from runs order by run_at") == before
    assert store.parent(Adapter, of_the_champion(store)).fingerprint == champion(metric_file(store))


def test_a_night_that_is_not_to_wait_leaves_it_to_the_other(store):
    with store.held("another night", wait=True):
        left = nightly("smoke", changes=FEW | {"wait": False}, return_state=True)
    assert left.is_cancelled()
    assert "another night" in left.message
