"""A night is in the metric file once, whole or not at all, and nobody waits for it."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tasks.metrics_db import (
    SQL,
    atomic_update,
    list_reports,
    open_readonly,
    read_leaderboard,
    run_report,
)
from tasks.publish.task import metric_file, publish
from tasks.score.task import Score, score
from tasks.store.artifacts import Prompts
from tests.world import typed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def night(store, split, ratings, predict, rank, contest):
    """`night(seed)`: the scores and the other handles of a night of its own, and its contest."""

    def walked(seed=0):
        predictions, lists = [predict("llm"), predict("bias")], [rank("llm"), rank("bias")]
        config = Score(ks=(4,), resamples=100, seed=seed)
        scores = score.fn(split, ratings, predictions, lists, config=config, store=store)
        return scores, [ratings, split, *predictions, *lists], contest()

    return walked


def counts(path):
    with open_readonly(path) as db:
        tables = [row[0] for row in db.execute("select table_name from duckdb_tables()").fetchall()]
        return {t: db.execute(f"select count(*) from {t}").fetchall()[0][0] for t in sorted(tables)}


def put(night, store, commit="abc"):
    scores, handles, contest = night
    return publish.fn(scores, handles, profile="smoke", commit=commit, contest=contest, store=store)


def test_publishing_a_night_twice_changes_nothing(night, store):
    run_id = put(night(), store)
    before = counts(metric_file(store))
    assert put(night(), store) == run_id
    assert counts(metric_file(store)) == before
    assert before["runs"] == 1
    assert before["rating_predictions"] == 8


def test_every_row_of_a_night_has_its_run(night, store):
    first, second = put(night(0), store), put(night(1), store)
    with open_readonly(metric_file(store)) as db:
        for table in ("metrics", "comparisons", "rating_predictions", "lists", "stages", "lineage"):
            found = db.execute(f"select run_id, count(*) from {table} group by 1").fetchall()
            assert {run for run, _ in found} == {first, second}, table
            assert len({n for _, n in found}) == 1, table


def test_the_leaderboard_shows_what_was_scored(night, store):
    scores, *rest = night()
    run_id = put((scores, *rest), store)
    table = scores.scan("metrics").filter(slice="everyone").collect()
    scored = {(r["predictor"], r["metric"], r["k"]): r["value"] for r in table.to_dicts()}
    shown = {row[:3]: row[3] for row in read_leaderboard(metric_file(store), run_id)}
    assert shown == scored
    with open_readonly(metric_file(store)) as db:
        columns = [row[0] for row in db.execute("describe leaderboard").fetchall()]
    told = "run_id run_at dataset protocol predictor metric k value ci95_low ci95_high n"
    assert columns == told.split()


def test_a_crash_while_publishing_leaves_the_old_file(night, store):
    put(night(0), store)
    before = metric_file(store).read_bytes()
    with (
        pytest.raises(duckdb.Error, match="no_such_table"),
        atomic_update(metric_file(store)) as db,
    ):
        db.execute("delete from metrics; delete from no_such_table")
    assert metric_file(store).read_bytes() == before
    put(night(1), store)
    assert counts(metric_file(store))["runs"] == 2


def test_a_clock_that_was_set_back_puts_no_night_before_an_earlier_one(night, store):
    first = put(night(0), store)
    with atomic_update(metric_file(store)) as db:
        db.execute("update runs set run_at = run_at + interval 1 day")
        db.execute("update champions set decided_at = decided_at + interval 1 day")
    second = put(night(1), store)
    with open_readonly(metric_file(store)) as db:
        told = db.execute("select run_id from runs order by run_at").fetchall()
        assert told == [(first,), (second,)]
        assert {row[0] for row in db.execute("select run_id from latest").fetchall()} == {second}


def test_who_only_asks_changes_nothing_and_others_cannot_even_ask(night, store):
    put(night(), store)
    path = metric_file(store)
    with open_readonly(path) as db, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        db.execute("delete from runs")
    assert path.stat().st_mode & 0o077 == 0


def test_a_metric_file_of_the_first_version_is_brought_up(night, store):
    path = metric_file(store)
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute((ROOT / "sql" / "warehouse" / "migrations" / "001_tables.sql").read_text())
        db.execute("insert into runs values ('old', now(), 'smoke', 'hand', 'leave-last-2', null)")
    put(night(), store)
    found = counts(path)
    assert found["runs"] == 2
    assert found["champions"] == 1
    assert found["migrations"] == len(list(SQL.glob("migrations/*.sql")))


def test_from_a_recommendation_back_to_the_data_and_the_commit(night, store):
    scores, handles, contest = night()
    put((scores, handles, contest), store, commit="c0ffee")
    with open_readonly(metric_file(store)) as db:
        found = db.execute(
            "select distinct validated_ratings, commit from why_recommended where predictor = 'llm'"
        ).fetchall()
    assert found == [(handles[0].fingerprint, "c0ffee")]


def test_every_view_and_report_answers(night, store):
    put(night(), store)
    with open_readonly(metric_file(store)) as db:
        views = db.execute("select view_name from duckdb_views() where not internal").fetchall()
        assert len(views) == 10
        for (view,) in views:
            db.execute(f"select * from {view}").fetchall()
        answered = {name: run_report(db, name, {}).fetchall() for name in list_reports()}
    assert [name for name, rows in answered.items() if not rows] == [
        "ablations",
        "calibration",
        "checks",
        "film",
        "memorization",
        "quarantine",
    ]
    assert all("?" in question for question in list_reports().values())


def test_a_report_takes_its_parameters_and_no_others(night, store):
    put(night(), store)
    with open_readonly(metric_file(store)) as db:
        assert {row[0] for row in run_report(db, "film", {"title": "film 2"}).fetchall()} == {
            "Film 2"
        }
        named = run_report(db, "user", {"user": "2"}).fetchall()
        assert {title for _, _, title, _, _ in named} == {"Film 3", "Film None", "Film 10"}
        with pytest.raises(KeyError, match="no parameter"):
            run_report(db, "film", {"titel": "film 2"})
        with pytest.raises(KeyError, match="no report"):
            run_report(db, "filme", {})


def test_a_report_runs_as_it_stands_in_a_shell(night, store):
    put(night(), store)
    with open_readonly(metric_file(store)) as db:
        pasted = (SQL.parent / "reports" / "user.sql").read_text()
        assert {row[0] for row in db.execute(pasted).fetchall()} == {"llm", "bias"}
        db.execute(f"set variable user = 2; {pasted}")
        assert len(db.fetchall()) == 8


def test_a_report_is_listed_and_run_by_its_name(night, store, monkeypatch, capsys):
    from flows.cli import CommandError, app

    put(night(), store)
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(store.root))
    app(["reports"])
    app(["reports", "user", "user=2"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in list_reports())
    assert "Film 3" in shown
    for typed_in, wrong in ((["film", "titel=x"], "no parameter"), (["user", "2"], "name=value")):
        with pytest.raises(CommandError, match=wrong):
            app(["reports", *typed_in])


def test_from_a_recommendation_back_to_the_shard(night, store, split):
    def write(draft):
        for shard, users in enumerate(([1], [2])):
            rows = typed(Prompts, "examples", {"user_id": users, "fold": "test"})
            rows.write_parquet(draft / f"shard-{shard:05}.parquet")
        typed(Prompts, "films", {}).write_parquet(draft / "films.parquet")

    prompts = store.build(Prompts, recipe={}, parents=[split], write=write)
    scores, handles, contest = night()
    put((scores, [*handles[:2], prompts, *handles[2:]], contest), store)
    with open_readonly(metric_file(store)) as db:
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
from tasks.metrics_db import reading
path, stop = Path(sys.argv[1]), Path(sys.argv[2])
slowest, seen = 0.0, set()
while not stop.exists():
    began = time.monotonic()
    with open_readonly(path) as db:
        per_run = db.execute("select count(*) from metrics group by run_id").fetchall()
        runs = db.execute("select count(*) from runs").fetchall()[0][0]
    slowest = max(slowest, time.monotonic() - began)
    assert len(per_run) == runs, "a run without its metrics"
    seen |= {n for n, in per_run}
    time.sleep(0.02)
print(json.dumps({"slowest": slowest, "sizes": sorted(seen), "runs": runs}))
"""


@pytest.mark.slow
def test_eight_readers_see_whole_runs_while_twenty_are_published(night, store, tmp_path):
    put(night(0), store)
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(metric_file(store)), str(stop)]
    readers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    try:
        for seed in range(1, 21):
            put(night(seed), store)
    finally:
        stop.touch()
        told = [reader.communicate(timeout=60)[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 8
    assert all(len(json.loads(line)["sizes"]) == 1 for line in told)
    assert counts(metric_file(store))["runs"] == 21
