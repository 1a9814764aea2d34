"""A run is published once, completely or not at all, and no reader waits for it."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tasks.metrics_db import (
    SQL,
    VIEWS,
    atomic_update,
    list_reports,
    open_readonly,
    read_leaderboard,
    run_report,
)
from tasks.metrics_location import metrics_path
from tasks.published_files import RELATIONS
from tasks.store.artifacts import (
    Prompts,
    RankedLists,
    RatingPredictions,
    Scores,
    SplitRatings,
    ValidatedRatings,
)
from tests.world import typed

ROOT = Path(__file__).resolve().parents[2]


def counts(path):
    with open_readonly(path) as db:
        tables = [row[0] for row in db.execute("select table_name from duckdb_tables()").fetchall()]
        tables += RELATIONS
        return {t: db.execute(f"select count(*) from {t}").fetchall()[0][0] for t in sorted(tables)}


def test_publishing_a_run_twice_changes_nothing(store, publish_run, challenge):
    run_id = publish_run(challenge())
    before = counts(metrics_path(store))
    assert publish_run(challenge()) == run_id
    assert counts(metrics_path(store)) == before
    assert before["runs"] == 1
    assert before["rating_predictions"] == 8
    assert before["lists"] == 16


def test_every_row_belongs_to_its_run(store, publish_run, challenge):
    first, second = publish_run(challenge(), seed=0), publish_run(challenge(), seed=1)
    with open_readonly(metrics_path(store)) as db:
        for table in ("metrics", "comparisons", "rating_predictions", "lists", "stages", "lineage"):
            found = db.execute(f"select run_id, count(*) from {table} group by 1").fetchall()
            assert {run for run, _ in found} == {first, second}, table
            assert len({n for _, n in found}) == 1, table


def test_lineage_has_a_row_for_each_parent_of_each_stage(store, publish_run, challenge):
    run_id = publish_run(challenge())
    expected = {
        (artifact.kind(), artifact.fingerprint, parent["kind"], parent["fingerprint"])
        for kind in (ValidatedRatings, SplitRatings, RatingPredictions, RankedLists, Scores)
        for artifact in store.find_all(kind)
        for parent in artifact.manifest["parents"]
    }
    with open_readonly(metrics_path(store)) as db:
        query = "select kind, fingerprint, parent_kind, parent_fingerprint from lineage"
        rows = db.execute(f"{query} where run_id = ?", [run_id]).fetchall()
    assert len(rows) == 1 + 2 + 2 + 6  # split, predictions, lists, scores
    assert set(rows) == expected


def test_the_leaderboard_shows_every_metric_over_everyone(store, publish_run, challenge):
    run_id = publish_run(challenge())
    table = store.find(Scores, run_id).scan("metrics").filter(slice="everyone").collect()
    table = table.filter(pl.col("relevance").fill_null("liked") == "liked")
    scored = {(r["predictor"], r["metric"], r["k"]): r["value"] for r in table.to_dicts()}
    shown = {row[:3]: row[3] for row in read_leaderboard(metrics_path(store), run_id)}
    assert shown == scored
    with open_readonly(metrics_path(store)) as db:
        columns = [row[0] for row in db.execute("describe leaderboard").fetchall()]
    named = "run_id run_at dataset protocol predictor metric k relevance value ci95_low ci95_high n"
    assert columns == named.split()


def test_a_crash_while_publishing_leaves_the_old_file(store, publish_run, challenge):
    publish_run(challenge(), seed=0)
    before = metrics_path(store).read_bytes()
    with (
        pytest.raises(duckdb.Error, match="no_such_table"),
        atomic_update(metrics_path(store)) as db,
    ):
        db.execute("delete from overall_metrics; delete from no_such_table")
    assert metrics_path(store).read_bytes() == before
    publish_run(challenge(), seed=1)
    assert counts(metrics_path(store))["runs"] == 2


def test_a_clock_that_was_set_back_dates_no_run_before_an_earlier_one(
    store, publish_run, challenge
):
    first = publish_run(challenge(), seed=0)
    with atomic_update(metrics_path(store)) as db:
        db.execute("update runs set run_at = run_at + interval 1 day")
        db.execute("update champions set decided_at = decided_at + interval 1 day")
    second = publish_run(challenge(), seed=1)
    with open_readonly(metrics_path(store)) as db:
        ordered = db.execute("select run_id from runs order by run_at").fetchall()
        assert ordered == [(first,), (second,)]
        assert {row[0] for row in db.execute("select run_id from latest").fetchall()} == {second}


def test_a_reader_cannot_write_and_other_users_cannot_read(store, publish_run, challenge):
    publish_run(challenge())
    path = metrics_path(store)
    with open_readonly(path) as db, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        db.execute("delete from runs")
    assert path.stat().st_mode & 0o077 == 0


def test_a_database_of_the_first_version_is_migrated(store, publish_run, challenge):
    path = metrics_path(store)
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute((ROOT / "sql" / "warehouse" / "migrations" / "001_tables.sql").read_text())
        db.execute("insert into runs values ('old', now(), 'smoke', 'hand', 'leave-last-2', null)")
    publish_run(challenge())
    found = counts(path)
    assert found["runs"] == 2
    assert found["champions"] == 1
    assert found["migrations"] == len(list(SQL.glob("migrations/*.sql")))


def test_from_a_recommendation_back_to_the_data_and_the_commit(store, publish_run, challenge):
    publish_run(challenge(), commit="c0ffee")
    with open_readonly(metrics_path(store)) as db:
        found = db.execute(
            "select distinct validated_ratings, commit from why_recommended where predictor = 'llm'"
        ).fetchall()
    (ratings,) = store.find_all(ValidatedRatings)
    assert found == [(ratings.fingerprint, "c0ffee")]


def test_every_view_and_report_answers(store, publish_run, challenge):
    publish_run(challenge())
    with open_readonly(metrics_path(store)) as db:
        views = db.execute(VIEWS).fetchall()
        assert len(views) == 28
        for (view,) in views:
            db.execute(f"select * from {view}").fetchall()
        answered = {name: run_report(db, name, {}).fetchall() for name in list_reports()}
    assert [name for name, rows in answered.items() if not rows] == [
        "ablations",
        "checks",
        "film",
        "forecast",
        "memorization",
        "quarantine",
        "served",
    ]
    assert all("?" in question for question in list_reports().values())


def test_a_report_takes_its_parameters_and_no_others(store, publish_run, challenge):
    publish_run(challenge())
    with open_readonly(metrics_path(store)) as db:
        assert {row[0] for row in run_report(db, "film", {"title": "film 2"}).fetchall()} == {
            "Film 2"
        }
        named = run_report(db, "user", {"user": "2"}).fetchall()
        assert {title for _, _, title, _, _ in named} == {"Film 3", "Film None", "Film 10"}
        with pytest.raises(KeyError, match="no parameter"):
            run_report(db, "film", {"titel": "film 2"})
        with pytest.raises(KeyError, match="no report"):
            run_report(db, "filme", {})


def test_a_report_runs_as_it_stands_in_a_shell(store, publish_run, challenge):
    publish_run(challenge())
    with open_readonly(metrics_path(store)) as db:
        pasted = (SQL.parent / "reports" / "user.sql").read_text()
        assert {row[0] for row in db.execute(pasted).fetchall()} == {"llm", "bias"}
        db.execute(f"set variable user = 2; {pasted}")
        assert len(db.fetchall()) == 8


def test_a_report_is_listed_and_run_by_its_name(store, publish_run, challenge, monkeypatch, capsys):
    from flows.cli import app
    from flows.errors import CommandError

    publish_run(challenge())
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(store.root))
    app(["reports"])
    app(["reports", "user", "user=2"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in list_reports())
    assert "Film 3" in shown
    for typed_in, wrong in ((["film", "titel=x"], "no parameter"), (["user", "2"], "name=value")):
        with pytest.raises(CommandError, match=wrong):
            app(["reports", *typed_in])


def test_from_a_recommendation_back_to_the_shard(store, split, publish_run, challenge):
    def write(draft):
        for shard, users in enumerate(([1], [2])):
            rows = typed(Prompts, "examples", {"user_id": users, "fold": "test"})
            rows.write_parquet(draft / f"shard-{shard:05}.parquet")
        typed(Prompts, "films", {}).write_parquet(draft / "films.parquet")

    prompts = store.build(Prompts, recipe={}, parents=[split], write=write)
    publish_run(challenge(), extra=[prompts])
    with open_readonly(metrics_path(store)) as db:
        found = db.execute(
            "select distinct user_id, prompts, shard from why_recommended"
        ).fetchall()
    assert sorted(found) == [
        (1, prompts.fingerprint, "shard-00000.parquet"),
        (2, prompts.fingerprint, "shard-00001.parquet"),
    ]


READER = """
import sys, json, time
from pathlib import Path
from tasks.metrics_db import open_readonly
path, stop = Path(sys.argv[1]), Path(sys.argv[2])
seen = set()
while not stop.exists():
    with open_readonly(path) as db:
        per_run = db.execute("select count(*) from metrics group by run_id").fetchall()
        runs = db.execute("select count(*) from runs").fetchall()[0][0]
    assert len(per_run) == runs, "a run without its metrics"
    seen |= {n for n, in per_run}
    time.sleep(0.02)
print(json.dumps({"sizes": sorted(seen)}))
"""


@pytest.mark.slow
def test_eight_readers_see_whole_runs_while_twenty_are_published(
    store, publish_run, challenge, tmp_path
):
    publish_run(challenge(), seed=0)
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(metrics_path(store)), str(stop)]
    readers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    try:
        for seed in range(1, 21):
            publish_run(challenge(), seed=seed)
    finally:
        stop.touch()
        outputs = [reader.communicate(timeout=60)[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 8
    assert all(len(json.loads(line)["sizes"]) == 1 for line in outputs)
    assert counts(metrics_path(store))["runs"] == 21
