"""Several machines and one metric file: none loses another's nights, and each reads the newest."""

import multiprocessing
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3fs import S3FileSystem
from werkzeug.serving import make_server

from flows.gc import collect_garbage
from tasks.metrics_db import atomic_update, find_champion, open_readonly
from tasks.publish.task import metric_file, publish, roll_back, sharing
from tasks.score.task import Score, score
from tasks.store.artifacts import Adapter, Scores
from tasks.store.remote.errors import ConflictError, RemoteError
from tasks.store.remote.remote_store import RemoteStore, _open
from tasks.store.store import Store


@pytest.fixture
def store(machine):
    """Where the nights of these tests are made: the fixtures of the world build in it."""
    return machine("a")


@pytest.fixture
def night(store, split, ratings, predict, rank, contest):
    """`night(seed, at)`: publish a night of its own on a machine."""

    def walked(seed, at):
        parts = [predict("llm"), predict("bias")], [rank("llm"), rank("bias")]
        config = Score(ks=(4,), resamples=100, seed=seed)
        scores = score.fn(split, ratings, *parts, config=config, store=store)
        return publish.fn(
            scores, [ratings, split, *parts[0], *parts[1]],
            profile="smoke", commit=None, contest=contest(f"adapter {seed}"), store=at,
        )  # fmt: skip

    return walked


def runs(store: Store) -> set[str]:
    with open_readonly(metric_file(store)) as db:
        return {run for (run,) in db.execute("select run_id from runs").fetchall()}


def note(store: Store, what: str, meanwhile=lambda: None) -> None:
    with atomic_update(*sharing(store)) as db:
        db.execute("create table if not exists noted (what varchar)")
        db.execute("insert into noted values (?)", [what])
        meanwhile()


def noted(store: Store) -> list[str]:
    with open_readonly(metric_file(store)) as db:
        return [row[0] for row in db.execute("select what from noted order by all").fetchall()]


def test_machines_that_publish_in_turn_lose_nothing(machine, night):
    a, b = machine("a"), machine("b")
    first = night(1, a)
    assert runs(b) == {first}
    second = night(2, b)
    third = night(3, a)
    assert runs(a) == runs(b) == runs(machine("c")) == {first, second, third}


def test_a_night_that_is_published_is_not_published_again_elsewhere(machine, night):
    assert night(1, machine("a")) == night(1, machine("b"))
    assert len(runs(machine("c"))) == 1


def test_who_was_overtaken_is_told_and_begins_again(machine):
    a, b = machine("a"), machine("b")
    note(a, "first of a")
    with pytest.raises(ConflictError, match=r"another machine has replaced .*metrics.duckdb"):
        note(b, "first of b", meanwhile=lambda: note(a, "second of a"))
    assert noted(b) == ["first of a", "second of a"]
    note(b, "first of b")
    assert noted(a) == ["first of a", "first of b", "second of a"]


def _note_three(store: Store) -> None:
    for number in range(3):
        while True:
            with suppress(ConflictError):
                note(store, f"{store.root.name} {number}")
                break


def test_machines_that_publish_at_once_lose_nothing(machine):
    context = multiprocessing.get_context("spawn")
    machines = [context.Process(target=_note_three, args=(machine(name),)) for name in "bc"]
    for process in machines:
        process.start()
    for process in machines:
        process.join()
    assert [process.exitcode for process in machines] == [0, 0]
    assert noted(machine("a")) == ["b 0", "b 1", "b 2", "c 0", "c 1", "c 2"]


def test_publish_is_tried_again_only_where_it_was_overtaken():
    assert publish.retries > 0

    class Failed:
        def __init__(self, error):
            self.error = error

        def result(self, raise_on_failure):
            return self.error

    assert publish.retry_condition_fn(None, None, Failed(ConflictError("by another")))
    assert not publish.retry_condition_fn(None, None, Failed(RemoteError("gone")))


def test_what_only_this_machine_knows_is_not_overwritten(machine, night):
    a, alone = machine("a"), machine("b")
    first = night(1, a)
    second = night(2, Store(alone.root))  # published before it had the remote
    with pytest.raises(RemoteError, match="each have what the other lacks: move the first away"):
        metric_file(alone)
    with pytest.raises(RemoteError, match="each have what the other lacks"):
        night(3, alone)
    assert runs(a) == {first}
    assert runs(Store(alone.root)) == {second}
    metric_file(Store(alone.root)).unlink()
    assert night(2, alone) == second
    assert runs(a) == {first, second}


def test_nights_without_the_remote_go_there_with_the_next(machine, night):
    a = machine("a")
    first, second = night(1, Store(a.root)), night(2, a)
    third = night(3, Store(a.root))
    assert runs(machine("b")) == {first, second}
    fourth = night(4, a)
    assert runs(machine("b")) == {first, second, third, fourth}


def test_a_copy_that_is_gone_is_fetched_before_the_next_publish(machine, night):
    a = machine("a")
    first = night(1, a)
    metric_file(a).unlink()
    second = night(2, a)
    assert runs(a) == runs(machine("b")) == {first, second}


def test_the_champion_is_the_same_everywhere(machine, night):
    a, b = machine("a"), machine("b")
    night(1, a)
    before = find_champion(metric_file(a))
    night(2, b)
    assert find_champion(metric_file(a)) != before
    assert roll_back.fn(to="", store=machine("c")) == before
    assert find_champion(metric_file(a)) == find_champion(metric_file(b)) == before
    found = b.find(Adapter, before)
    assert found.path.is_relative_to(b.root)


@pytest.mark.parametrize("remote", ["mount"], indirect=True)
def test_who_died_while_replacing_it_is_named(machine, tmp_path, night):
    a = machine("a")
    first = night(1, a)
    lock = tmp_path / "mount" / "artifacts" / "metrics.duckdb.lock"
    lock.write_text("7\nelsewhere\n")
    with pytest.raises(ConflictError, match=rf"process 7 of elsewhere .* if .* remove {lock}"):
        night(2, a)
    assert runs(a) == {first}
    lock.unlink()
    assert len({night(2, a), *runs(a)}) == 2


@pytest.mark.parametrize("remote", ["bucket"], indirect=True)
def test_a_bucket_that_heeds_no_conditions_is_refused(tmp_path, bucket, night, monkeypatch):
    application = DomainDispatcherApplication(create_backend_app)

    def deaf(environment, start_response):
        for condition in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
            environment.pop(condition, None)
        return application(environment, start_response)

    server = make_server("127.0.0.1", 0, deaf, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    S3FileSystem.clear_instance_cache()
    _open.cache_clear()
    try:
        with pytest.raises(RemoteError, match="ignores If-Match and If-None-Match"):
            night(1, Store(tmp_path / "a", remote=f"{bucket}/deaf"))
        assert not RemoteStore(f"{bucket}/deaf").is_finished("artifacts/metrics.duckdb")
    finally:
        server.shutdown()
        S3FileSystem.clear_instance_cache()
        _open.cache_clear()


@pytest.mark.parametrize("remote", ["mount"], indirect=True)
def test_a_sweep_clears_the_remote_of_what_is_a_week_old(machine, tmp_path, night):
    a = machine("a")
    night(1, a)
    night(2, a)
    unfinished = tmp_path / "mount" / "data" / "split-ratings" / "0123" / "ratings.parquet"
    unfinished.parent.mkdir()
    unfinished.write_text("half")
    shown = {row["kind"]: row["folders"] for row in collect_garbage(1, apply=True, store=a)}
    assert shown == {"scores": "1"}
    assert len(a.find_all(Scores)) == 2  # another machine may be about to publish it
    old = time.time() - 8 * 24 * 3600
    for file in (tmp_path / "mount").glob("*/*/*/*"):
        os.utime(file, (old, old))
    a.find(Scores, next(iter(runs(a))))
    shown = {row["kind"]: row["folders"] for row in collect_garbage(1, apply=True, store=a)}
    assert shown.pop("scores in the remote") == "1"
    assert shown.pop("split-ratings in the remote") == "1"
    assert set(shown) <= {"scores"}
    assert len(a.find_all(Scores)) == 1
    assert not unfinished.parent.exists()
    assert collect_garbage(1, apply=True, store=a) == []
    left = {path.parts[-2] for path in Path(tmp_path / "mount").glob("*/*/*")}
    assert left == {
        "validated-ratings",
        "split-ratings",
        "rating-predictions",
        "ranked-lists",
        "scores",
        "adapter",
    }
