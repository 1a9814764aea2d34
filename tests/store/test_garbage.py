"""Garbage is what no root was made from: roots, their lineage and their reports stay."""

import os
import time
from pathlib import Path

import pytest

from tasks.store.artifacts import Base, Report, Tokenizer
from tasks.store.garbage import delete, find_unreachable
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.store import StoreError


def build(store, kind, *parents, seed=0):
    def write(draft):
        (draft / "file").write_text("x" * 10)

    return store.build(kind, recipe={"seed": seed}, parents=parents, write=write)


def garbage(store, *roots, spared_days=0):
    names = [(root.kind(), root.fingerprint) for root in roots]
    return find_unreachable(store, names, spared_days=spared_days)


def paths(store, *roots, **how):
    return {item.path for item in garbage(store, *roots, **how)}


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
    assert paths(store, *roots, spared_days=7) == set()
    old = time.time() - 8 * 24 * 3600
    os.utime(draft, (old, old))
    assert paths(store, *roots, spared_days=7) == {draft}


def test_what_a_dead_run_finished_this_week_stays_with_all_that_it_was_made_from(store, two_runs):
    """Its base is a month old: built for an earlier run, used by this one."""
    (tokenizer, base, report), (_, newer, _) = two_runs
    old = time.time() - 30 * 24 * 3600
    for artifact in (tokenizer, base, report):
        os.utime(artifact.path / "manifest.json", (old, old))
    assert paths(store, spared_days=7) == {artifact.path for artifact in two_runs[0]}
    adapter = build(store, Base, base, seed=1)
    assert paths(store, spared_days=7) == set()
    os.utime(adapter.path / "manifest.json", (old, old))
    assert paths(store, newer, spared_days=7) == {
        artifact.path for artifact in (tokenizer, base, report, adapter)
    }


def test_a_root_with_a_damaged_manifest_stops_the_collection(store, two_runs):
    first, second = two_runs
    manifest = first[1].path / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole.replace(first[0].fingerprint, second[0].fingerprint))
    with pytest.raises(StoreError, match=f"the manifest of artifacts/base/{first[1].fingerprint}"):
        garbage(store, first[1])
    assert first[1].path in paths(store, second[1])  # damaged garbage is garbage


def age(remote, days):
    """Make all that is in a mount, or a store, so many days older."""
    for file in remote.rglob("*"):
        at = file.stat().st_mtime - days * 24 * 3600
        os.utime(file, (at, at))


@pytest.mark.parametrize("remote", ["mount"], indirect=True)
@pytest.mark.parametrize("how", ["reused", "fetched"])
def test_what_another_machine_uses_meanwhile_stays_in_the_remote(machine, remote, how):
    a, b = machine("a"), machine("b")
    used, unused = build(a, Tokenizer, seed=1), build(a, Tokenizer, seed=2)
    if how == "reused":
        build(b, Tokenizer, seed=1)
    age(Path(remote), 8)
    age(a.root, 8)
    found = [item for item in garbage(a, spared_days=7) if item.remote]
    assert {item.path.name for item in found} == {used.fingerprint, unused.fingerprint}
    assert build(b, Tokenizer, seed=1).cache_hit  # between the look and the deletion
    delete(found)
    folders = RemoteStore(remote).list_folders("artifacts")
    assert [Path(name).name for name in folders] == [used.fingerprint]
    assert not [item for item in garbage(a, spared_days=7) if item.remote]


def test_a_run_that_reuses_an_artifact_touches_it_and_keeps_its_place(machine, remote):
    """The newest adapter is the one that was trained last, not the one that was used last."""
    a = machine("a")
    first = build(a, Tokenizer, seed=1)
    time.sleep(1.1)  # a bucket tells times in whole seconds
    second = build(a, Tokenizer, seed=2)
    name = f"artifacts/tokenizer/{first.fingerprint}"
    before = RemoteStore(remote).last_used(name)
    time.sleep(1.1)
    build(machine("a"), Tokenizer, seed=1)
    assert RemoteStore(remote).last_used(name) > before
    assert machine("b").fingerprints(Tokenizer) == [first.fingerprint, second.fingerprint]


def test_what_gc_has_taken_since_is_uploaded_again(machine, remote):
    one = build(machine("a"), Tokenizer)
    RemoteStore(remote).delete(f"artifacts/tokenizer/{one.fingerprint}")
    assert build(machine("a"), Tokenizer) == one
    assert machine("b").find(Tokenizer, one.fingerprint).path.exists()
