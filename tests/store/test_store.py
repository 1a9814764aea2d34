"""The store does the same work once, leaves nothing half-written and notices corruption."""

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from tasks.store import checksum
from tasks.store.artifacts import KINDS, Adapter, Artifact, Scores, SplitRatings, Tokenizer
from tasks.store.checksum import hash_file
from tasks.store.store import Store, StoreError

LOSSES = pl.DataFrame(
    {"step": [1], "examples": [4], "tokens": [9], "loss": [1.5], "learning_rate": [0.1]}
    | {"validation_loss": [None], "validation_rmse": [None]},
    schema=pl.Schema(
        {"step": pl.Int32, "examples": pl.Int64, "tokens": pl.Int64, "loss": pl.Float64}
        | {"learning_rate": pl.Float64, "validation_loss": pl.Float64}
        | {"validation_rmse": pl.Float64}
    ),
)


def write_losses(draft: Path) -> dict[str, str]:
    LOSSES.write_parquet(draft / "history.parquet")
    return {"note": "done"}


def build(store: Store, seed: int = 1, **how) -> Adapter:
    return store.build(Adapter, recipe={"seed": seed}, write=how.pop("write", write_losses), **how)


def test_the_same_work_is_done_once(store):
    first, second = build(store), build(store)
    assert (first.cache_hit, second.cache_hit) == (False, True)
    assert first == second
    assert second.metadata == {"note": "done"}
    assert second.manifest["rows"] == {"history": 1}


def test_another_recipe_or_parent_is_other_work(store):
    one = build(store)
    assert build(store, seed=2) != one
    child = build(store, parents=[one])
    assert child != one
    assert store.ancestor(Adapter, child) == one


def test_a_stage_that_fails_leaves_no_artifact(store):
    def fail(draft: Path) -> None:
        (draft / "half").write_text("written")
        raise ValueError("out of luck")

    with pytest.raises(ValueError, match="out of luck"):
        build(store, write=fail)
    assert not [p for p in store.root.glob("*/*/*") if not p.name.startswith(".")]


def test_a_missing_table_is_refused(store):
    with pytest.raises(StoreError, match=r"promises history.parquet"):
        build(store, write=lambda draft: None)


def test_a_wrong_column_is_refused(store):
    def write(draft: Path) -> None:
        LOSSES.with_columns(pl.col("step").cast(pl.Int64)).write_parquet(draft / "history.parquet")

    with pytest.raises(StoreError, match=r"breaks its promised columns in .*int64"):
        build(store, write=write)


@pytest.mark.parametrize("corruption", ["flip", "truncate", "remove", "manifest"])
def test_corruption_is_noticed_and_built_anew(store, corruption, caplog):
    artifact = build(store)
    file = artifact.path / "history.parquet"
    whole = file.read_bytes()
    if corruption == "flip":
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif corruption == "truncate":
        os.truncate(file, 10)
    elif corruption == "remove":
        file.unlink()
    else:
        (artifact.path / "manifest.json").write_text("{")
    rebuilt = build(store)
    assert rebuilt == artifact
    assert not rebuilt.cache_hit
    assert file.read_bytes() == whole
    assert "is corrupt" in caplog.text


def test_a_killed_draft_is_cleared_unless_it_can_be_resumed(store):
    def die(draft: Path) -> None:
        (draft / "begun").write_text("")
        raise KeyboardInterrupt

    resumed = []

    def resume(draft: Path) -> None:
        resumed.append((draft / "begun").exists())
        die(draft)

    for resumable in (False, True):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                build(store, write=resume, resumable=resumable)
    assert resumed == [False, False, True, True]


def test_the_manifest_is_the_same_in_another_store(tmp_path):
    one, two = (build(Store(tmp_path / name)) for name in "ab")
    assert (one.path / "manifest.json").read_bytes() == (two.path / "manifest.json").read_bytes()
    assert json.loads((one.path / "cost.json").read_text()).keys() == {
        "seconds",
        "cpu_seconds",
        "peak_bytes",
        "bytes",
        "rows",
    }


def _build_slowly(root: Path, counter: Path) -> None:
    def write(draft: Path) -> None:
        with counter.open("a") as file:
            file.write("x")
        (draft / "tokenizer.json").write_text("{}" * 100_000)

    Store(root).build(Tokenizer, recipe={}, write=write)


def test_processes_at_once_build_an_artifact_once(tmp_path):
    counter = tmp_path / "counter"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_build_slowly, args=(tmp_path, counter)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert counter.read_text() == "x"


def test_artifacts_are_private_to_their_user(store):
    assert build(store).path.parent.stat().st_mode & 0o077 == 0


def test_an_unknown_fingerprint_is_answered_with_the_known_ones(store):
    artifact = build(store)
    assert store.find(Adapter, artifact.fingerprint[:6]) == artifact
    with pytest.raises(StoreError, match=rf"there are {artifact.fingerprint}"):
        store.find(Adapter, "zzz")
    with pytest.raises(StoreError, match="not made from any scores"):
        store.ancestor(Scores, artifact)


def test_every_kind_of_artifact_is_listed_once():
    def subclasses(kind: type[Artifact]) -> set[type[Artifact]]:
        return {each for sub in kind.__subclasses__() for each in (sub, *subclasses(sub))}

    defined = {kind for kind in subclasses(Artifact) if kind.__module__.startswith("tasks.")}
    assert set(KINDS) == defined
    assert len({kind.kind() for kind in KINDS}) == len(KINDS)


def test_kinds_are_named_like_their_folders():
    assert SplitRatings.kind() == "split-ratings"


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("file", ["history.parquet", "manifest.json"])
def test_a_flipped_byte_is_noticed_by_every_look_up(store, file):
    parent = build(store, seed=2)
    artifact = build(store, parents=[parent])
    flip(parent.path / file)
    look_ups = {
        "by name": lambda: store.find(Adapter, parent.fingerprint),
        "by prefix": lambda: store.find(Adapter, parent.fingerprint[:8]),
        "by handle": lambda: store.ensure_local(parent),
        "by lineage": lambda: store.ancestor(Adapter, artifact),
        "all": lambda: store.find_all(Adapter),
    }
    for look_up in look_ups.values():
        with pytest.raises(StoreError, match=f"adapter {parent.fingerprint} is corrupt"):
            look_up()
    assert parent.path.exists()  # a look-up deletes nothing
    assert not build(store, seed=2).cache_hit
    assert look_ups["by name"]() == parent


def test_a_damaged_manifest_is_not_listed_and_its_recipe_not_used(store, caplog):
    parent = build(store, seed=12)
    artifact = build(store, parents=[parent])
    manifest = parent.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 12', '"seed": 13'))
    assert [m["fingerprint"] for m in store.manifests(Adapter)] == [artifact.fingerprint]
    assert "damaged: it differs from its own sha256" in caplog.text
    with pytest.raises(StoreError, match="damaged"):
        store.recipe(Adapter, artifact)


def test_an_artifact_is_hashed_once_for_as_long_as_it_stays_as_it_is(store, monkeypatch):
    artifact, hashed = build(store), []
    monkeypatch.setattr(checksum, "hash_file", lambda path: hashed.append(path.name) or real(path))
    real = hash_file
    for _ in range(3):
        store.find(Adapter, artifact.fingerprint)
    assert hashed == ["history.parquet"]
    os.utime(artifact.path / "history.parquet", (0, 0))
    store.find(Adapter, artifact.fingerprint)
    assert hashed == ["history.parquet"] * 2


@pytest.mark.parametrize(
    "name", ["../../outside", "../adapter/{}", ".draft-{}", "{}/../{}", "", "{} (copy)"]
)
def test_only_a_fingerprint_is_found(store, name):
    first, second = build(store, seed=1), build(store, seed=2)
    for folder in (
        store.root / "outside",
        first.path.with_name(f".draft-{first.fingerprint}"),
        first.path.with_name(f"{first.fingerprint} (copy)"),
    ):
        shutil.copytree(first.path, folder)
    known = ", ".join(sorted((first.fingerprint, second.fingerprint)))
    with pytest.raises(StoreError, match=rf"artifacts of kind adapter .*there are {known}$"):
        store.find(Adapter, name.format(first.fingerprint, first.fingerprint))


def test_a_path_in_a_manifest_leads_nowhere(store):
    parent = build(store, seed=2)
    artifact = build(store, parents=[parent])
    shutil.copytree(parent.path, store.root / "outside")
    manifest = artifact.manifest
    manifest["parents"][0]["fingerprint"] = "../../outside"
    (artifact.path / "manifest.json").write_text(checksum.dump_json(manifest))
    with pytest.raises(StoreError):
        store.ancestor(Adapter, artifact)
    with pytest.raises(StoreError, match="a fingerprint is hexadecimal"):
        store.recipe(Adapter, artifact)
    with pytest.raises(StoreError, match="a fingerprint is hexadecimal"):
        store.ensure_local(Adapter(store.root / "outside", "../../outside"))
