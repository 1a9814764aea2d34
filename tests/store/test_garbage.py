"""Garbage is what no root was made from: roots, their lineage and their reports stay."""

import os
import time

import pytest

from tasks.store.artifacts import Base, Report, Tokenizer
from tasks.store.garbage import delete, find_unreachable
from tasks.store.store import StoreError


def build(store, kind, *parents, seed=0):
    def write(draft):
        (draft / "file").write_text("x" * 10)

    return store.build(kind, recipe={"seed": seed}, parents=parents, write=write)


def garbage(store, *roots):
    names = [(root.kind(), root.fingerprint) for root in roots]
    return find_unreachable(store, names, draft_days=7)


def paths(store, *roots):
    return {item.path for item in garbage(store, *roots)}


@pytest.fixture
def two_runs(store):
    """Tokenizer, base and report of each of two runs."""
    runs = []
    for seed in range(2):
        tokenizer = build(store, Tokenizer, seed=seed)
        base = build(store, Base, tokenizer)
        runs.append((tokenizer, base, build(store, Report, base)))
    return runs


def test_the_lineage_and_the_reports_of_a_root_stay(store, two_runs):
    first, second = two_runs
    assert paths(store, first[1]) == {artifact.path for artifact in second}
    assert paths(store, first[1], second[1]) == set()
    assert paths(store) == {artifact.path for run in two_runs for artifact in run}


def test_what_was_made_from_a_root_goes_unless_it_is_a_report(store, two_runs):
    tokenizer, base, report = two_runs[0]
    assert {base.path, report.path} <= paths(store, tokenizer)
    assert tokenizer.path not in paths(store, tokenizer)


def test_what_is_deleted_is_what_was_found_and_its_size_was_given(store, two_runs):
    first, second = two_runs
    found = garbage(store, first[1])
    assert all(item.bytes > 10 for item in found)
    delete(found)
    assert all(artifact.path.exists() for artifact in first)
    assert not any(artifact.path.exists() for artifact in second)
    assert not list(store.root.glob("*/*/.gone-*"))
    assert not [lock for a in second for lock in store.root.glob(f"*/*/.lock-{a.fingerprint}")]


def test_a_draft_is_garbage_after_a_week(store, two_runs):
    draft = store.root / "artifacts" / "base" / ".draft-0123"
    draft.mkdir()
    roots = (two_runs[0][1], two_runs[1][1])
    assert paths(store, *roots) == set()
    old = time.time() - 8 * 24 * 3600
    os.utime(draft, (old, old))
    assert paths(store, *roots) == {draft}


def test_a_root_with_a_damaged_manifest_stops_the_collection(store, two_runs):
    first, second = two_runs
    manifest = first[1].path / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole.replace(first[0].fingerprint, second[0].fingerprint))
    with pytest.raises(StoreError, match=f"the manifest of artifacts/base/{first[1].fingerprint}"):
        garbage(store, first[1])
    assert first[1].path in paths(store, second[1])  # damaged garbage is garbage
