"""Predictions and lists stay in the files of their artifacts, and every reader finds them there.

data/before_published_files.duckdb.gz holds two runs as version 15 of the tables published them.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from flows.gc import collect_garbage
from flows.sql import run_report
from tasks.metrics_db import atomic_update, open_readonly
from tasks.metrics_file import copy_database
from tasks.metrics_location import metrics_path, migrated_metrics
from tasks.published_files import RELATIONS
from tasks.store.store import Store
from tests.world import PREDICTED

BEFORE = Path(__file__).parent / "data" / "before_published_files.duckdb.gz"
OTHER = [(*row[:3], row[3] + 0.5, *row[4:]) for row in PREDICTED]
OF_FILES = ("rating_predictions", "lists", "films", "quarantine", "metrics", "comparisons")
COUNT = "select run_id, count(*) from {} group by all order by all"
SHELL = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as db:
    db.execute(sys.argv[2])
    counts = {name: db.execute(f"select count(*) from {name}").fetchall() for name in sys.argv[3:]}
print(json.dumps(counts))
"""


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with open_readonly(metrics_path(store)) as db:
        return {name: db.execute(f"from {name} order by all").fetchall() for name in OF_FILES}


def counts(store: Store, relation: str) -> dict[str, int]:
    with open_readonly(metrics_path(store)) as db:
        return dict(db.execute(COUNT.format(relation)).fetchall())


def shell(folder: Path, path: str, first: str = "select 1") -> dict[str, int]:
    """The rows of each relation as a plain DuckDB in a folder counts them."""
    command = [sys.executable, "-c", SHELL, path, first, *OF_FILES, "missing_files"]
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return {name: count[0][0] for name, count in json.loads(run.stdout).items()}


@pytest.fixture
def two_runs(store, publish_run, challenge):
    """The ids of two runs with predictions of their own; the second is the champion's."""
    return publish_run(challenge("first"), OTHER, seed=0), publish_run(challenge("second"), seed=1)


@pytest.fixture
def old(store):
    """A store with the database of before, and the rows that it had."""
    path = metrics_path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.decompress(BEFORE.read_bytes()))
    with duckdb.connect(str(path), read_only=True) as db:
        return {name: db.execute(f"from {name} order by all").fetchall() for name in OF_FILES}


def test_the_database_holds_no_prediction(store, two_runs):
    with duckdb.connect(str(metrics_path(store)), read_only=True) as db:
        sizes = "select table_name, estimated_size from duckdb_tables() order by all"
        assert not [name for name, n in db.execute(sizes).fetchall() if "earlier" in name and n]
    assert counts(store, "rating_predictions") == dict.fromkeys(two_runs, 8)


def test_a_plain_shell_reads_the_same_rows_in_the_root_and_by_an_absolute_path(
    store, two_runs, tmp_path
):
    expected = {name: len(found) for name, found in rows(store).items()} | {"missing_files": 0}
    assert expected["lists"] == 32
    assert shell(store.root, "artifacts/metrics.duckdb") == expected
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    at = f"set file_search_path = '{store.root}'"
    assert shell(elsewhere, str(metrics_path(store)), at) == expected


def test_a_store_that_was_moved_is_read_where_it_is(store, two_runs, tmp_path, monkeypatch):
    before = rows(store)
    moved = Store(tmp_path.with_name(f"{tmp_path.name}, [moved] 'to' *another"))
    os.rename(store.root, moved.root)
    monkeypatch.chdir(moved.root.parent)
    assert rows(moved) == before
    assert shell(moved.root, "artifacts/metrics.duckdb")["lists"] == 32
    with atomic_update(metrics_path(moved)):
        pass
    assert rows(moved) == before


def test_runs_whose_files_gc_deletes_keep_their_figures_and_are_named(store, two_runs, monkeypatch):
    monkeypatch.setattr("flows.gc.SPARED_DAYS", 0)
    first, second = two_runs
    overall = counts(store, "leaderboard")
    collect_garbage(1, apply=True, store=store)
    assert counts(store, "rating_predictions") == {first: 4, second: 8}  # one's file is of both
    assert counts(store, "lists") == {first: 16, second: 16}
    assert counts(store, "leaderboard") == overall
    assert counts(store, "metrics")[first] == overall[first] < counts(store, "metrics")[second]
    named = {"rating_predictions": 1, "metric_files": 1, "comparison_files": 1}
    with open_readonly(metrics_path(store)) as db:
        missing = db.execute("select run_id, relation, files from missing_files").fetchall()
    assert {(run, relation): n for run, relation, n in missing} == {
        (first, relation): n for relation, n in named.items()
    }
    plain = shell(store.root, "artifacts/metrics.duckdb")
    assert (plain["rating_predictions"], plain["missing_files"]) == (12, 3)


def test_a_store_without_any_file_answers_and_says_so(store, two_runs):
    for kind in ("rating-predictions", "ranked-lists", "scores"):
        for folder in (store.root / "artifacts" / kind).glob("[0-9a-f]*"):
            os.rename(folder, store.root / f"{kind}-{folder.name}")
    assert counts(store, "lists") == {}
    plain = shell(store.root, "artifacts/metrics.duckdb")
    assert (plain["lists"], plain["missing_files"]) == (0, 8)
    assert plain["metrics"] == sum(counts(store, "leaderboard").values())


def test_a_report_says_which_rows_of_its_run_are_gone(store, two_runs, monkeypatch, capsys):
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(store.root))
    monkeypatch.setattr("flows.gc.SPARED_DAYS", 0)
    collect_garbage(1, apply=True, store=store)
    run_report("slices", {"run_id": two_runs[0]})
    said = capsys.readouterr().err
    assert f"run {two_runs[0]}: its comparison_files, metric_files, rating_predictions are" in said
    run_report("slices", {"run_id": two_runs[1]})
    assert capsys.readouterr().err == ""


def test_a_database_of_before_keeps_every_row(store, old):
    path = migrated_metrics(store)
    assert rows(store) == old
    with open_readonly(path) as db:
        assert db.execute("from missing_files").fetchall() == []


def test_a_run_on_top_of_a_database_of_before_has_files(store, old, publish_run, challenge):
    run_id = publish_run(challenge("third"), seed=3)
    found = counts(store, "rating_predictions")
    assert found.pop(run_id) == 8
    assert sum(found.values()) == len(old["rating_predictions"])


def test_gc_deletes_the_rows_of_before_with_their_runs(store, old, publish_run, challenge):
    run_id = publish_run(challenge("third"), seed=3)
    earlier = {run for run, *_ in old["lists"]}
    with atomic_update(metrics_path(store)) as db:
        db.execute("delete from champions where run_id <> ?", [run_id])
    collect_garbage(1, apply=False, store=store)
    assert set(counts(store, "lists")) == {*earlier, run_id}
    collect_garbage(1, apply=True, store=store)
    assert set(counts(store, "lists")) == {run_id}
    with open_readonly(metrics_path(store)) as db:
        query = "select run_id, list(relation) from missing_files group by all"
        missing = {run: set(relations) for run, relations in db.execute(query).fetchall()}
    assert missing == {run: set(RELATIONS) for run in earlier}


def test_a_database_that_is_mostly_free_blocks_is_packed(tmp_path):
    path, draft = tmp_path / "metrics.duckdb", tmp_path / "draft.duckdb"
    with atomic_update(path) as db:
        db.execute("create table ballast as select random() as x from range(8_000_000)")
        db.execute("insert into sent_alerts values ('kept', now())")
    with atomic_update(path) as db:
        db.execute("drop table ballast")
    large = path.stat().st_size
    copy_database(path, draft)
    assert draft.stat().st_size < large / 4
    with atomic_update(path) as db:
        assert db.execute("select run_id from sent_alerts").fetchall() == [("kept",)]
        with pytest.raises(duckdb.ConstraintException):
            db.execute("insert into sent_alerts values ('kept', now())")
    assert path.stat().st_size < large / 4
