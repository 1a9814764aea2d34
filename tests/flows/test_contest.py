"""Nights one after the other: the second competes with the first, and a person may go back."""

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.alarm import Alarm
from flows.contest import contested
from flows.gc import swept
from flows.nightly import nightly
from flows.prepare import prepared
from flows.recommend import of_the_champion
from flows.rollback import rollback
from flows.settings import WEBHOOK, load
from tasks.ingest.download import SourceError
from tasks.metrics_db import find_champion, open_readonly
from tasks.publish.task import metric_file
from tasks.store.artifacts import Adapter
from tasks.store.store import Store
from tests.servers import webhook
from tests.world import typed

FEW = {
    "baseline": {
        "rating_models": ["bias"],
        "list_models": ["popularity"],
        "blended": ["llm", "bias"],
    },
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
    with open_readonly(metric_file(store)) as db:
        return db.execute(query).fetchall()


def test_the_second_night_is_held_against_the_first(store):
    first, second = rows(
        store, "select adapter, previous_champion, promoted from champions order by all"
    )
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
        of = store.ancestor(Adapter, of_the_champion(store)).fingerprint
        assert of == find_champion(metric_file(store))
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
    assert known.fingerprint == find_champion(metric_file(store))
    aside = known.path.rename(known.path.with_name(".aside"))
    contest = contested(settings, store, data, challenger)
    aside.rename(known.path)
    assert contest.settled == (True, f"the champion {known.fingerprint} is no longer in the store")


def test_after_a_sweep_the_newest_night_is_still_whole(store):
    before = rows(store, "select run_id from runs order by run_at")
    assert swept(1, apply=True, store=store)
    assert night(1) == before[1][0]
    assert rows(store, "select run_id from runs order by run_at") == before
    assert store.ancestor(Adapter, of_the_champion(store)).fingerprint == find_champion(
        metric_file(store)
    )


def test_a_night_that_is_not_to_wait_leaves_it_to_the_other(store):
    with store.exclusive_lock("another night", wait=True):
        left = nightly("smoke", changes=FEW | {"wait": False}, return_state=True)
    assert left.is_cancelled()
    assert "another night" in left.message


@pytest.fixture
def told(monkeypatch):
    """What a webhook is told, whose address is in the environment and holds a secret."""
    with webhook() as (address, told):
        monkeypatch.setenv(WEBHOOK, address)
        yield told


def test_a_challenger_that_is_turned_down_is_told_of(store, told, caplog):
    strict = dict.fromkeys(("rmse", "ndcg", "slice_rmse", "coverage"), 0)
    run_id = night(2, margins=strict)
    query = f"select reason from champions where run_id = '{run_id}' and not promoted"
    ((reason,),) = rows(store, query)
    first = next(alarm for alarm in told if "champion" in alarm["what"])
    assert first["what"] == f"the night's adapter did not become champion: {reason}"
    assert first["look"] == f"make reports name=checks run_id={run_id}"
    assert all(alarm["text"] in caplog.text for alarm in told)
    assert "hush" not in caplog.text
    before = len(told)
    assert night(2, margins=strict) == run_id
    assert len(told) == before  # nothing new


def test_a_night_that_fails_is_told_of(store, told, caplog):
    with pytest.raises(SourceError):
        night(3, ingest={"data": "no-such-data"})
    (alarm,) = told
    assert alarm["what"].startswith("nightly failed: ")
    assert "no-such-data" in alarm["what"]
    assert alarm["look"].startswith("prefect flow-run logs ")
    assert "hush" not in caplog.text


def test_a_webhook_that_is_not_there_stops_nothing(monkeypatch, caplog):
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/?token=hush")
    Alarm("it happened", "a run", "make reports").ring()
    assert "it happened" in caplog.text
    assert f"the webhook of {WEBHOOK} did not take this: ConnectError" in caplog.text
    assert "hush" not in caplog.text
