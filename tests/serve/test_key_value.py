"""Lists reach a key-value store through an entry point of an installed package, before the swap."""

import importlib
import json
import sys

import pytest

from flows.settings import SettingsError, load
from tasks.serve.swap import read_served
from tasks.serve.task import swap_recommendations
from tasks.store.store import Store
from tests.serve.conftest import ANY

PACKAGE = """
pairs, manifests = {}, []

def put(items, manifest):
    pairs.update(items)
    manifests.append(manifest)

def refuse(items, manifest):
    raise ConnectionError("the store is away")
"""
POINTS = "[content_advisor.key_value]\nkept = kept_lists:put\naway = kept_lists:refuse\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with two entry points."""
    (folder := tmp_path / "kept_lists-1.0.dist-info").mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: kept-lists\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(POINTS)
    (tmp_path / "kept_lists.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("kept_lists")
    del sys.modules["kept_lists"]


def test_each_user_has_a_key_with_the_served_list(package, tonight, ratings, adapter, tmp_path):
    config = ANY.model_copy(update={"key_value": "kept"})
    store = Store(tmp_path / "store")
    requests, lists = tonight
    swap_recommendations.fn(lists, requests, ratings, adapter, config=config, store=store)
    rows = lists.scan("recommendations").collect()
    assert set(package.pairs) == {f"user:{user}" for user in rows["user_id"]}
    for (user,), own in rows.group_by("user_id"):
        films = json.loads(package.pairs[f"user:{user}"])["films"]
        assert [film["film_id"] for film in films] == own.sort("rank")["film_id"].to_list()
    assert package.manifests[0]["champion"] == adapter.fingerprint


def test_nothing_is_swapped_where_the_store_is_away(package, tonight, ratings, adapter, tmp_path):
    config = ANY.model_copy(update={"key_value": "away"})
    store = Store(tmp_path / "store")
    requests, lists = tonight
    with pytest.raises(ConnectionError, match="the store is away"):
        swap_recommendations.fn(lists, requests, ratings, adapter, config=config, store=store)
    assert read_served(store.root) is None


def test_an_entry_point_that_is_not_installed_is_refused_before_any_work(package):
    assert load("laptop", {"serving": {"key_value": "kept"}}).serving.key_value == "kept"
    with pytest.raises(SettingsError, match=r'key_value: no entry point "gone" .* are away, kept$'):
        load("laptop", {"serving": {"key_value": "gone"}})
