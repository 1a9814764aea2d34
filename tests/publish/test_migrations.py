"""A metrics database of before the columns were renamed keeps its rows and takes new runs.

data/before_plain_names.duckdb.gz holds two runs as version 8 of the tables published them, with
most rows left out and with invented titles and ratings.
"""

import gzip
from pathlib import Path

import duckdb
import pytest

from tasks.metrics_db import VIEWS, atomic_update, list_reports, open_readonly, run_report
from tasks.metrics_location import metrics_path
from tasks.publish.task import publish
from tasks.published_files import RELATIONS
from tasks.score.task import Score, score

OLD = Path(__file__).parent / "data" / "before_plain_names.duckdb.gz"
TABLES = "select table_name from duckdb_tables() where table_name <> 'migrations'"
OF_HITS = {"hit", "map", "mrr", "ndcg", "precision", "recall"}
NEW_NAME = {"probes": "ablations", "recalled": "memorization"}


@pytest.fixture
def old(tmp_path):
    """Name and rows of each table of the old file, whose columns kept their order."""
    path = tmp_path / "old.duckdb"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    with duckdb.connect(str(path), read_only=True) as db:
        names = [name for (name,) in db.execute(TABLES).fetchall()]
        return {name: db.execute(f"from {name} order by all").fetchall() for name in names}


@pytest.fixture
def migrated(store):
    """The path of the old file, brought to the newest version."""
    path = metrics_path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    with atomic_update(path):
        pass
    return path


def test_every_row_of_every_table_is_kept(old, migrated):
    with open_readonly(migrated) as db:
        added = {"serving", "sent_alerts", "contests", "serves", "published_files", "settings"}
        added |= {"overall_metrics", "overall_comparisons", "forecasts"}
        added |= {f"earlier_{name}" for name in RELATIONS}
        views = {"metrics", "comparisons", *RELATIONS}
        assert {name for (name,) in db.execute(TABLES).fetchall()} == added | {
            NEW_NAME.get(name, name) for name in old if name not in views
        }
        for name, rows in old.items():
            kept = db.execute(f"from {NEW_NAME.get(name, name)} order by all").fetchall()
            if name == "lineage":
                rows = sorted((*row[:3], *row[:2:-1]) for row in rows)
            if name == "runs":
                rows = [(*row, row[4]) for row in rows]  # their split's recipe is not known
            if name == "comparisons":
                rows = [(*row, None) for row in rows]  # no p-value was computed
            if name in ("metrics", "comparisons"):  # a hit was any film that was rated
                rows = [(*row, "rated" if OF_HITS & set(row) else None) for row in rows]
            assert kept == rows, name


def test_parents_that_were_published_as_fingerprint_and_kind_are_swapped_once(old, migrated):
    stages = {(run, fingerprint): kind for run, _, kind, fingerprint, *_ in old["stages"]}
    with atomic_update(migrated) as db:
        rows = db.execute("select run_id, parent_fingerprint, parent_kind from lineage").fetchall()
    parents = [(stages[run, name], kind) for run, name, kind in rows if (run, name) in stages]
    assert len(parents) == 92  # the other 11 are of ablations, whose predictions are no stages
    assert all(stage == kind for stage, kind in parents)
    assert {kind for *_, kind in rows} <= set(stages.values())


def test_every_view_and_report_answers(migrated):
    with open_readonly(migrated) as db:
        views = db.execute(VIEWS).fetchall()
        rows = {view: db.execute(f"from {view}").fetchall() for (view,) in views}
        # Runs of then had no settings, no blend without the language model, no lists for everyone.
        assert [view for view, found in rows.items() if not found] == [
            "changed_settings",
            "forecast_costs",
            "llm_value",
            "missing_files",
            "present_files",  # rows of then stay in the database
            "quarantine",
            "served",
        ]
        parameters = {"film": {"title": "film"}}
        answers = {
            name: run_report(db, name, parameters.get(name, {})).fetchall()
            for name in list_reports()
        }
        assert [name for name, found in answers.items() if not found] == [
            "forecast",
            "memorization",
            "quarantine",
            "served",
        ]
        data = db.execute("select distinct validated_ratings, split_ratings from provenance")
        assert data.fetchall() == [("b2a073020b92d8ec", "97d56a808aceb4cc")]


def test_a_run_is_published_on_top(migrated, store, split, ratings, predict, rank, challenge):
    predictions, lists = [predict("llm"), predict("bias")], [rank("llm")]
    config = Score(ks=(4,), resamples=100)
    scores = score.fn(split, ratings, predictions, lists, config=config, store=store)
    made = [ratings, split, *predictions, *lists]
    publish.fn(scores, made, profile="smoke", commit=None, challenge=challenge(), store=store)
    with open_readonly(migrated) as db:
        found = db.execute("select run_id, dataset from latest where metric = 'rmse'").fetchall()
    assert {run for run, dataset in found if dataset == "by-hand"} == {scores.fingerprint}
    assert len({run for run, _ in found}) == 2
