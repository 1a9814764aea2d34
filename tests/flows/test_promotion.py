"""Runs one after the other: the second competes with the first, and a person may roll back."""

import json
import os
import re

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.alerts import Alert
from flows.gc import collect_garbage
from flows.nightly import nightly
from flows.recommend import latest_champion_ranking
from flows.rollback import rollback
from flows.settings import MLFLOW, NOTIFY, WEBHOOK
from tasks.download import SourceError
from tasks.export.push import push
from tasks.metrics_db import find_champion, open_readonly
from tasks.metrics_location import metrics_path
from tasks.publish.opponent import find_opponent
from tasks.publish.task import roll_back
from tasks.store.artifacts import Adapter
from tasks.store.store import Store
from tests.runs import FEW
from tests.servers import hub, webhook


@pytest.fixture(scope="module")
def overrides(few_users):
    return FEW | {"ingest": {"data": str(few_users)}}


@pytest.fixture(scope="module")
def run(overrides):
    """`run(seed)`: the run with this seed of its training."""

    def start(seed, **more):
        return nightly("smoke", overrides=overrides | {"train": {"fit": {"seed": seed}}} | more)

    return start


@pytest.fixture(scope="module")
def store(tmp_path_factory, run):
    """A store of two runs that differ in the seed of their training."""
    root = tmp_path_factory.mktemp("runs")
    with prefect_test_harness(server_startup_timeout=180), pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONTENT_ADVISOR_STORE", str(root))
        run(0)
        run(1, second_split={"protocol": "global-time"}, ablation={"perturbations": []})
        yield Store(root)


def rows(store, query):
    with open_readonly(metrics_path(store)) as db:
        return db.execute(query).fetchall()


def test_a_second_split_has_a_table_of_its_own_and_decides_nothing(store):
    runs = rows(store, "select protocol, run_id from runs order by run_at")
    assert [protocol for protocol, _ in runs] == [
        "leave-last-10", "global-time-0.9", "leave-last-10",
    ]  # fmt: skip
    (measured,) = rows(
        store,
        "select list(distinct predictor order by predictor) from leaderboard "
        "where protocol = 'global-time-0.9' and metric = 'rmse'",
    )
    assert measured[0] == ["bayesian_fm", "bias", "blend", "blend_without_llm", "residual_trees"]
    made = rows(store, "select count(*) from stages join runs using (run_id) "
                "where protocol = 'global-time-0.9' and kind = 'adapter'")  # fmt: skip
    assert made == [(0,)]
    assert len(rows(store, "select * from champions")) == 2


def test_the_second_run_is_compared_with_the_first(store):
    first, second = rows(
        store, "select adapter, previous_champion, promoted from champions order by all"
    )
    if first[1]:
        first, second = second, first
    assert (first[1], first[2]) == (None, True)
    assert second[1] == first[0]
    compared = rows(
        store,
        "select count(*) from comparisons where against = 'blend_champion' and predictor = 'blend'",
    )
    assert compared[0][0] > 100
    assert rows(store, "select count(*) from checks") > [(20,)]


def test_a_run_that_is_repeated_is_the_same_run(run, store):
    before = rows(store, "select run_id from runs order by run_at")
    assert run(1) == before[-1][0]
    assert rows(store, "select run_id from runs order by run_at") == before
    assert len(rows(store, "select * from champions")) == 2


def test_recommendations_are_the_champions(store):
    for _ in range(2):
        of = store.ancestor(Adapter, latest_champion_ranking(store)).fingerprint
        assert of == find_champion(metrics_path(store))
        rollback()


def test_after_garbage_collection_the_newest_run_is_intact(run, store, monkeypatch):
    before = rows(store, "select run_id from runs order by run_at")
    assert not collect_garbage(1, apply=True, store=store)  # all of it is of this week
    monkeypatch.setattr("flows.gc.SPARED_DAYS", 0)
    assert collect_garbage(1, apply=True, store=store)
    assert run(1) == before[-1][0]
    assert rows(store, "select run_id from runs order by run_at") == before
    assert store.ancestor(Adapter, latest_champion_ranking(store)).fingerprint == find_champion(
        metrics_path(store)
    )


def test_a_run_that_must_not_wait_for_the_lock_is_cancelled(store, overrides):
    with store.exclusive_lock("another run", wait=True):
        left = nightly("smoke", overrides=overrides | {"wait_for_lock": False}, return_state=True)
    assert left.is_cancelled()
    assert "another run" in left.message


@pytest.fixture
def payloads(monkeypatch):
    """The payloads of a webhook whose address, in the environment, contains a secret."""
    with webhook() as (address, payloads):
        monkeypatch.setenv(WEBHOOK, address)
        yield payloads


def test_a_rejected_challenger_is_told_once_to_each_that_listens(
    run, store, payloads, caplog, monkeypatch, tmp_path
):
    """A night with all adapters on: a webhook, people by apprise, MLflow, the hub."""
    monkeypatch.setenv(MLFLOW, f"sqlite:///{tmp_path}/mlflow.db")
    strict = dict.fromkeys(("rmse", "ndcg", "slice_rmse", "coverage"), 0)
    with webhook() as (address, notes):
        monkeypatch.setenv(NOTIFY, address.replace("http:", "json:"))
        run_id = run(2, promotion=strict)
        query = f"select reason, adapter from champions where run_id = '{run_id}' and not promoted"
        ((reason, adapter),) = rows(store, query)
        first = next(alert for alert in payloads if "champion" in alert["summary"])
        assert first["summary"] == f"the run's adapter did not become champion: {reason}"
        assert first["hint"] == f"make reports name=checks run_id={run_id}"
        assert [note["message"] for note in notes] == [alert["text"] for alert in payloads]
        before = len(payloads)
        assert run(2, promotion=strict) == run_id
        assert len(payloads) == len(notes) == before  # nothing new
    assert all(alert["text"] in caplog.text for alert in payloads)
    assert "hush" not in caplog.text
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=os.environ[MLFLOW], registry_uri=os.environ[MLFLOW])
    (model,) = client.search_registered_models()
    challenger = client.get_model_version_by_alias(model.name, "challenger")
    assert challenger.tags["content_advisor.adapter"] == adapter
    assert client.get_run(challenger.run_id).data.tags["reason"] == reason
    with hub() as (address, requests):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        push(store.find(Adapter, adapter), "owner/name", "adapter", store)
    commit, body = requests[-1][0], requests[-1][2].splitlines()
    assert commit == "/api/models/owner/name/commit/main"
    assert run_id in json.loads(body[0])["value"]["summary"]


def test_a_run_that_another_champion_overtakes_is_compared_with_that_one(run, store, monkeypatch):
    """As another machine's run, or a person, may promote one while this run scores."""
    promoted = []

    def find_then_roll_back(*inputs, **how):
        challenge = find_opponent(*inputs, **how)
        if not promoted:
            promoted.append(roll_back.fn(to="", store=store))
            assert challenge.champion.fingerprint != promoted[0]
        return challenge

    monkeypatch.setattr("flows.promotion.find_opponent", find_then_roll_back)
    run_id = run(4)
    query = f"select previous_champion from champions where run_id = '{run_id}'"
    assert rows(store, query) == [(promoted[0],)]
    assert rows(store, f"select count(*) from contests where run_id = '{run_id}'") > [(2,)]


def test_a_failed_run_is_alerted(run, store, payloads, caplog):
    with pytest.raises(SourceError):
        run(3, ingest={"data": "no-such-data"})
    (alert,) = payloads
    assert alert["summary"].startswith("nightly failed: ")
    assert "no-such-data" in alert["summary"]
    assert alert["hint"].startswith("prefect flow-run logs ")
    assert "hush" not in caplog.text


def test_a_webhook_that_is_not_there_stops_nothing(monkeypatch, caplog):
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/?token=hush")
    Alert("it happened", "a run", "make reports").send()
    assert "it happened" in caplog.text
    assert f"the webhook of {WEBHOOK} failed: ConnectError" in caplog.text
    assert "hush" not in caplog.text


def test_a_run_counts_its_stages_to_the_end(run, store, caplog):
    caplog.set_level("INFO", logger="flows.stages")
    run(1)
    lines = [record.getMessage() for record in caplog.records if record.name == "flows.stages"]
    parsed = [re.fullmatch(r"stage (\d+) of (\d+), (.*)", line).groups() for line in lines]
    numbers, totals, labels = zip(*parsed, strict=True)
    assert [int(number) for number in numbers] == list(range(1, len(lines) + 1))
    left = [int(total) - len(lines) for total in totals]
    assert left == sorted(left, reverse=True)  # it only falls, once a stage is known to be needless
    assert left[-1] == 0
    assert len(set(labels)) == len(labels)
    assert {"predict candidates", "predict champion", "write report"} <= set(labels)
