"""A manifest names the parents and counts the rows of an artifact; look-ups follow it."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.store.artifacts import Adapter, Base, Candidates, RankedLists, Report, Tokenizer
from tasks.store.checksum import dump_json
from tasks.store.store import StoreError

COLUMNS = {"fold": pl.String, "user_id": pl.Int32, "rank": pl.Int32, "film_id": pl.Int32}
COLUMNS |= {"score": pl.Float64}

ARROW = {"string": pa.string(), "int32": pa.int32(), "double": pa.float64()}


def build(store, kind, *parents, seed=0, rows=0):
    """An artifact of a kind that has no table, or `rows` rows in each of the columns of COLUMNS."""

    def write(draft):
        if kind is Candidates:
            table = pl.DataFrame({name: [None] * rows for name in COLUMNS}, schema=COLUMNS)
            table.write_parquet(draft / "candidates.parquet")

    return store.build(kind, recipe={"seed": seed}, parents=parents, write=write)


def test_the_manifest_names_each_parent_by_kind_and_fingerprint_in_order(store):
    tokenizer, base = build(store, Tokenizer), build(store, Base)
    candidates = build(store, Candidates, base, tokenizer)
    assert candidates.manifest["parents"] == [
        {"kind": "base", "fingerprint": base.fingerprint},
        {"kind": "tokenizer", "fingerprint": tokenizer.fingerprint},
    ]
    assert build(store, Candidates, tokenizer, base) != candidates


@pytest.mark.parametrize("rows", [0, 3])
def test_rows_are_counted_in_the_manifest_and_in_the_cost(store, rows):
    candidates = build(store, Candidates, rows=rows)
    assert candidates.manifest["rows"] == {"candidates": rows}
    assert candidates.cost["rows"] == rows
    assert candidates.cost["bytes"] == (candidates.path / "candidates.parquet").stat().st_size


def test_rows_of_a_table_in_several_files_are_added(store):
    def write(draft):
        for number, height in enumerate((2, 3)):
            lists = RankedLists.tables["lists"].columns
            table = pa.table({name: pa.nulls(height, ARROW[t]) for name, (t, _) in lists.items()})
            pq.write_table(table, draft / f"lists-{number}.parquet")

    lists = store.build(RankedLists, recipe={}, write=write)
    assert lists.manifest["rows"] == {"lists": 5}
    assert lists.scan("lists").collect().height == 5


def test_an_ancestor_is_the_nearest_of_its_kind(store):
    far, near = build(store, Tokenizer), build(store, Tokenizer, seed=1)
    deep = build(store, Candidates, build(store, Base, far))
    child = build(store, Report, deep, build(store, Base, near, seed=1))
    assert store.ancestor(Tokenizer, child) == near
    assert store.ancestor(Candidates, child) == deep
    with pytest.raises(StoreError, match="was not made from any adapter"):
        store.ancestor(Adapter, child)


def test_a_kind_of_an_earlier_version_ends_the_lineage(store):
    child = build(store, Report, build(store, Base, build(store, Tokenizer)))
    manifest = child.manifest
    manifest["parents"][0]["kind"] = "histories"
    (child.path / "manifest.json").write_text(dump_json(manifest))
    with pytest.raises(StoreError, match="was not made from any tokenizer"):
        store.ancestor(Tokenizer, child)


def test_manifests_come_newest_first(store):
    built = [build(store, Tokenizer, seed=seed) for seed in range(3)]
    fingerprints = [manifest["fingerprint"] for manifest in store.manifests(Tokenizer)]
    assert fingerprints == [artifact.fingerprint for artifact in reversed(built)]
    assert store.find_all(Tokenizer) == built
