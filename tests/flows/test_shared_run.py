"""A run with a bucket: another machine with an empty disk repeats it and builds nothing."""

import json

import pytest
from prefect.testing.utilities import prefect_test_harness

from bench.movielens_like import write_data_set
from flows.nightly import nightly
from flows.recommend import latest_champion_ranking
from flows.rescore import rescore
from flows.settings import open_store
from tasks.metrics_db import find_champion, open_readonly
from tasks.metrics_location import metrics_path
from tasks.store.artifacts import Adapter
from tasks.store.remote.remote_store import _open
from tests.runs import FEW, artifacts
from tests.servers import object_storage

pytestmark = pytest.mark.slow  # 140 s, all but 10 of them for the run that builds


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """`machine(name)`: from here on, this process is that machine; its store."""
    root = tmp_path_factory.mktemp("machines")
    with (
        object_storage("runs"),
        prefect_test_harness(server_startup_timeout=180),
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setenv("CONTENT_ADVISOR_REMOTE", "s3://runs/advisor")

        def become(name):
            patched.setenv("CONTENT_ADVISOR_STORE", str(root / name))
            return open_store()

        yield become
    _open.cache_clear()


def manifests(store):
    """Of each artifact; what is served says since when."""
    return {name: json.loads(text) for name, text in artifacts(store.root).items()}


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Few users, rivals and ablations: all stages are there, and soon done."""
    write_data_set(data := tmp_path_factory.mktemp("data"), rows=20_000)
    return FEW | {"ingest": {"data": str(data)}}


def rows(store):
    with open_readonly(metrics_path(store)) as db:
        return db.execute("from metrics order by all").fetchall()


def stages(caplog):
    return [r.getMessage().split()[-1] for r in caplog.records if r.name == "tasks.store.store"]


@pytest.fixture(scope="module")
def first(machine, overrides):
    """The run of the machine that has built it all."""
    store = machine("a")
    return nightly("smoke", overrides=overrides), manifests(store), rows(store)


def test_a_machine_that_has_nothing_builds_nothing(machine, first, overrides, caplog):
    run_id, built, metrics = first
    store = machine("b")
    caplog.set_level("INFO", logger="tasks.store.store")
    assert nightly("smoke", overrides=overrides) == run_id
    assert set(stages(caplog)) == {"fetched"}
    assert len(stages(caplog)) >= len(built)
    assert manifests(store) == built
    assert rows(store) == metrics


def test_a_machine_that_has_nothing_knows_the_champion(machine, first):
    store = machine("c")
    lists = latest_champion_ranking(store)
    assert store.ancestor(Adapter, lists).fingerprint == find_champion(metrics_path(store))
    assert len(manifests(store)) < len(first[1])  # it fetched no more than it needs


def test_a_machine_that_has_nothing_rescores_the_champion(machine, first, overrides, caplog):
    machine("d")
    caplog.set_level("INFO", logger="tasks.store.store")
    assert rescore(profile="smoke", overrides=overrides) == first[0]
    built = [r.getMessage() for r in caplog.records if r.name == "tasks.store.store"]
    built = [message.split()[0] for message in built if message.endswith("built")]
    assert built == ["report"]  # which has no part on everyone's lists: these a rescore leaves
