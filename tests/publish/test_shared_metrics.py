"""Several machines share a metrics database: none loses another's runs, each reads the newest."""

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
from tasks.metrics_location import fetch_published, metrics_location, metrics_path
from tasks.publish.task import publish, roll_back
from tasks.published_files import RELATIONS
from tasks.store.artifacts import Adapter, Scores
from tasks.store.remote.errors import ConflictError, RemoteError
from tasks.store.remote.remote_store import RemoteStore, _open
from tasks.store.store import Store


@pytest.fixture
def store(machine):
    """The store of the machine that makes the runs of these tests."""
    return machine("a")


@pytest.fixture
def publish_on(publish_run, challenge):
    """`publish_on(seed, at)`: publish a run of its own on a machine; return its id."""
    return lambda seed, at: publish_run(challenge(f"adapter {seed}"), seed=seed, at=at)


def runs(store: Store) -> set[str]:
    with open_readonly(metrics_path(store)) as db:
        return {run for (run,) in db.execute("select run_id from runs").fetchall()}


def note(store: Store, what: str, meanwhile=lambda: None) -> None:
    with atomic_update(*metrics_location(store)) as db:
        db.execute("create table if not exists noted (what varchar)")
        db.execute("insert into noted values (?)", [what])
        meanwhile()


def noted(store: Store) -> list[str]:
    with open_readonly(metrics_path(store)) as db:
        return [row[0] for row in db.execute("select what from noted order by all").fetchall()]


def test_machines_that_publish_in_turn_lose_nothing(machine, publish_on):
    a, b = machine("a"), machine("b")
    first = publish_on(1, a)
    assert runs(b) == {first}
    second = publish_on(2, b)
    third = publish_on(3, a)
    assert runs(a) == runs(b) == runs(machine("c")) == {first, second, third}


def test_a_published_run_is_not_published_again_elsewhere(machine, publish_on):
    assert publish_on(1, machine("a")) == publish_on(1, machine("b"))
    assert len(runs(machine("c"))) == 1


def test_a_machine_that_was_overtaken_gets_an_error_and_can_start_again(machine):
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


def count(store: Store, relation: str) -> int:
    with open_readonly(metrics_path(store)) as db:
        return db.execute(f"select count(*) from {relation}").fetchall()[0][0]


def test_the_files_of_another_machines_run_are_named_and_fetched(machine, publish_on):
    a, b = machine("a"), machine("b")
    publish_on(1, a)
    assert count(b, "leaderboard") == count(a, "leaderboard") > 0
    assert (count(b, "lists"), count(b, "missing_files")) == (0, len(RELATIONS))
    fetch_published(b, None)
    assert (count(b, "lists"), count(b, "missing_files")) == (16, 0)


def test_publish_is_retried_only_after_a_conflict():
    assert publish.retries > 0

    class Failed:
        def __init__(self, error):
            self.error = error

        def result(self, raise_on_failure):
            return self.error

    assert publish.retry_condition_fn(None, None, Failed(ConflictError("by another")))
    assert not publish.retry_condition_fn(None, None, Failed(RemoteError("gone")))


def test_runs_that_only_this_machine_has_are_not_overwritten(machine, publish_on):
    a, alone = machine("a"), machine("b")
    first = publish_on(1, a)
    second = publish_on(2, Store(alone.root))  # published before it had the remote
    with pytest.raises(RemoteError, match="each have what the other lacks: move the first away"):
        metrics_path(alone)
    with pytest.raises(RemoteError, match="each have what the other lacks"):
        publish_on(3, alone)
    assert runs(a) == {first}
    assert runs(Store(alone.root)) == {second}
    metrics_path(Store(alone.root)).unlink()
    assert publish_on(2, alone) == second
    assert runs(a) == {first, second}


def test_runs_without_the_remote_are_uploaded_with_the_next(machine, publish_on):
    a = machine("a")
    first, second = publish_on(1, Store(a.root)), publish_on(2, a)
    third = publish_on(3, Store(a.root))
    assert runs(machine("b")) == {first, second}
    fourth = publish_on(4, a)
    assert runs(machine("b")) == {first, second, third, fourth}


def test_a_lost_copy_is_downloaded_before_the_next_publish(machine, publish_on):
    a = machine("a")
    first = publish_on(1, a)
    metrics_path(a).unlink()
    second = publish_on(2, a)
    assert runs(a) == runs(machine("b")) == {first, second}


def test_the_champion_is_the_same_everywhere(machine, publish_on):
    a, b = machine("a"), machine("b")
    publish_on(1, a)
    before = find_champion(metrics_path(a))
    publish_on(2, b)
    assert find_champion(metrics_path(a)) != before
    assert roll_back.fn(to="", store=machine("c")) == before
    assert find_champion(metrics_path(a)) == find_champion(metrics_path(b)) == before
    found = b.find(Adapter, before)
    assert found.path.is_relative_to(b.root)


@pytest.mark.parametrize("remote", ["mount"], indirect=True)
def test_the_holder_of_a_stale_lock_is_named(machine, tmp_path, publish_on):
    a = machine("a")
    first = publish_on(1, a)
    lock = tmp_path / "mount" / "artifacts" / "metrics.duckdb.lock"
    lock.write_text("7\nelsewhere\n")
    with pytest.raises(ConflictError, match=rf"process 7 of elsewhere .* if .* remove {lock}"):
        publish_on(2, a)
    assert runs(a) == {first}
    lock.unlink()
    assert len({publish_on(2, a), *runs(a)}) == 2


@pytest.mark.parametrize("remote", ["bucket"], indirect=True)
def test_a_bucket_without_conditional_writes_is_refused(tmp_path, bucket, publish_on, monkeypatch):
    application = DomainDispatcherApplication(create_backend_app)

    def ignoring(environment, start_response):
        for condition in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
            environment.pop(condition, None)
        return application(environment, start_response)

    server = make_server("127.0.0.1", 0, ignoring, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    S3FileSystem.clear_instance_cache()
    _open.cache_clear()
    try:
        with pytest.raises(RemoteError, match="ignores If-Match and If-None-Match"):
            publish_on(1, Store(tmp_path / "a", remote=f"{bucket}/ignoring"))
        assert not RemoteStore(f"{bucket}/ignoring").is_finished("artifacts/metrics.duckdb")
    finally:
        server.shutdown()
        S3FileSystem.clear_instance_cache()
        _open.cache_clear()


@pytest.mark.parametrize("remote", ["mount"], indirect=True)
def test_gc_deletes_from_the_remote_what_is_a_week_old(machine, tmp_path, publish_on):
    a = machine("a")
    publish_on(1, a)
    publish_on(2, a)
    unfinished = tmp_path / "mount" / "data" / "split-ratings" / "0123" / "ratings.parquet"
    unfinished.parent.mkdir()
    unfinished.write_text("half")
    assert collect_garbage(1, apply=True, store=a) == []
    assert len(a.find_all(Scores)) == 2  # another machine may be about to publish it
    old = time.time() - 8 * 24 * 3600
    for root in (tmp_path / "mount", a.root):
        for file in root.glob("*/*/*/*"):
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
        "base",
        "prompts",
        "tokenizer",
    }
