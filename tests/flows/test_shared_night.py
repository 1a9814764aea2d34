"""A night with a bucket: another machine that has nothing runs it again and builds nothing."""

import json

import pytest
from prefect.testing.utilities import prefect_test_harness

from bench.movielens_like import write_data_set
from flows.nightly import nightly
from flows.recommend import of_the_champion
from flows.rescore import rescore
from flows.settings import the_store
from tasks.metrics_db import find_champion, open_readonly
from tasks.publish.task import metric_file
from tasks.store.artifacts import Adapter
from tasks.store.remote.remote_store import _open
from tests.servers import object_storage

pytestmark = pytest.mark.slow  # 140 s, all but 10 of them for the night that builds
FEW = {
    "baseline": {
        "rating_models": ["bias"],
        "list_models": ["popularity"],
        "blended": ["llm", "bias"],
    },
    "probe": {"spoilings": ["empty"]},
    "retrieve": {"candidates": 20},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """`machine(name)`: from here on, this process is that machine; its store."""
    root = tmp_path_factory.mktemp("machines")
    with object_storage("nights"), prefect_test_harness(), pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONTENT_ADVISOR_REMOTE", "s3://nights/advisor")

        def become(name):
            patched.setenv("CONTENT_ADVISOR_STORE", str(root / name))
            return the_store()

        yield become
    _open.cache_clear()


def manifests(store):
    found = store.root.glob("*/*/[!.]*/manifest.json")
    return {file.parent.relative_to(store.root): json.loads(file.read_text()) for file in found}


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """Few users, rivals and probes: all stages are there, and soon done."""
    write_data_set(data := tmp_path_factory.mktemp("data"), rows=20_000)
    return FEW | {"ingest": {"data": str(data)}}


def rows(store):
    with open_readonly(metric_file(store)) as db:
        return db.execute("from metrics order by all").fetchall()


def stages(caplog):
    return [r.getMessage().split()[-1] for r in caplog.records if r.name == "tasks.store.store"]


@pytest.fixture(scope="module")
def first(machine, changes):
    """The run of the machine that has built it all."""
    store = machine("a")
    return nightly("smoke", changes=changes), manifests(store), rows(store)


def test_a_machine_that_has_nothing_builds_nothing(machine, first, changes, caplog):
    run_id, built, metrics = first
    store = machine("b")
    caplog.set_level("INFO", logger="tasks.store.store")
    assert nightly("smoke", changes=changes) == run_id
    assert set(stages(caplog)) == {"fetched"}
    assert len(stages(caplog)) >= len(built)
    assert manifests(store) == built
    assert rows(store) == metrics


def test_a_machine_that_has_nothing_knows_the_champion(machine, first):
    store = machine("c")
    lists = of_the_champion(store)
    assert store.ancestor(Adapter, lists).fingerprint == find_champion(metric_file(store))
    assert len(manifests(store)) < len(first[1])  # it fetched no more than it needs


def test_a_machine_that_has_nothing_rescores_the_champion(machine, first, changes, caplog):
    machine("d")
    caplog.set_level("INFO", logger="tasks.store.store")
    assert rescore(profile="smoke", changes=changes) == first[0]
    assert set(stages(caplog)) == {"fetched"}
