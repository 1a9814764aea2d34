"""The metrics database survives a torn copy in the remote, a damaged file and a killed shell."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from tasks.metrics_db import atomic_update, open_readonly
from tasks.metrics_file import previous_of
from tasks.metrics_location import metrics_location, metrics_path
from tasks.store.remote.errors import RemoteError
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.store import Store, StoreError

NAME = "artifacts/metrics.duckdb"
RUN = "select ? as run_id, now() as run_at, 'smoke' as profile, 'x' as dataset, 'y' as protocol"


def publish(store: Store, run: str) -> None:
    """A run of no stages, on top of a table large enough to have blocks of its own."""
    with atomic_update(*metrics_location(store)) as db:
        db.execute(f"insert into runs by name {RUN}", [run])
        db.execute("create table if not exists ballast as select random() from range(200000)")


def runs(path: Path) -> list[str]:
    with open_readonly(path) as db:
        return [row[0] for row in db.execute("select run_id from runs order by all").fetchall()]


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flip(content: bytes) -> bytes:
    """A bit in the middle, which is of the ballast."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def newer(content: bytes) -> bytes:
    return change(content, "insert into migrations values ('999_later', now())")


def other(content: bytes) -> bytes:
    return change(content, "drop table runs cascade")


def shorter(content: bytes) -> bytes:
    return change(content, "delete from runs where run_id = 'first'")


def change(content: bytes, statement: str) -> bytes:
    file = Path(os.environ["SCRATCH"]) / "changed.duckdb"
    file.write_bytes(content)
    with duckdb.connect(str(file)) as db, suppress(duckdb.ConnectionException):
        db.execute(statement)
    return file.read_bytes()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, r"cannot be used \(IO Error: "),
        (flip, r"cannot be used \(Corrupt database file: computed checksum"),
        (lambda content: b"", r"cannot be used \(it has no table of runs|cannot be used \(IO"),
        (newer, "a newer version of the project wrote it: 999_later is not known"),
        (other, "it has no table of runs"),
        (shorter, "lacks 1 runs that .* has, such as first"),
    ],
)
def test_a_torn_file_of_the_remote_does_not_replace_the_good_one_here(
    machine, remote, tmp_path, monkeypatch, harm, reason
):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    a, b = machine("a"), machine("b")
    publish(a, "first")
    assert runs(metrics_path(b)) == ["first"]
    publish(a, "second")
    whole = metrics_path(a).read_bytes()
    (tmp_path / "torn").write_bytes(harm(whole))
    with RemoteStore(remote).connect() as files:
        files.upload({NAME: tmp_path / "torn"})
    before = (b.root / NAME).read_bytes()
    for read in (lambda: metrics_path(b), lambda: publish(b, "third")):
        with pytest.raises((RemoteError, StoreError), match=reason):
            read()
        assert (b.root / NAME).read_bytes() == before
    (tmp_path / "torn").write_bytes(whole)
    with RemoteStore(remote).connect() as files:
        files.upload({NAME: tmp_path / "torn"})
    publish(b, "third")
    assert runs(metrics_path(b)) == ["first", "second", "third"]


def test_the_database_before_is_kept(store):
    path = metrics_path(store)
    publish(store, "first")
    assert not previous_of(path).exists()
    publish(store, "second")
    assert runs(previous_of(path)) == ["first"]
    assert previous_of(path).stat().st_mode & 0o077 == 0
    publish(store, "third")
    assert runs(previous_of(path)) == ["first", "second"]


@pytest.mark.parametrize("harm", [cut, flip])
def test_a_damaged_database_is_named_with_the_one_before(store, harm):
    path = metrics_path(store)
    for run in ("first", "second"):
        publish(store, run)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(StoreError, match=rf"cannot be used .*{previous_of(path)} into its place"):
        publish(store, "third")
    assert runs(previous_of(path)) == ["first"]
    os.replace(previous_of(path), path)
    publish(store, "third")
    assert runs(path) == ["first", "third"]


def kill_shell(path: Path) -> None:
    """A shell that commits a run by hand, and is killed before it writes that into the file."""
    typed = f"insert into runs by name {RUN}"
    code = "import duckdb, os, sys; db = duckdb.connect(sys.argv[1]); "
    code += f"db.execute({typed!r}, ['by hand']); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.with_name(f"{path.name}.wal").exists()


def test_what_a_killed_shell_has_committed_is_published_with_the_next_run(store):
    path = metrics_path(store)
    publish(store, "first")
    kill_shell(path)
    publish(store, "second")
    assert runs(path) == ["by hand", "first", "second"]
    publish(store, "third")
    assert runs(path) == ["by hand", "first", "second", "third"]
    assert runs(previous_of(path)) == ["by hand", "first", "second"]


def test_the_log_of_an_older_file_is_left_out(store, caplog):
    path, log = metrics_path(store), metrics_path(store).with_name("metrics.duckdb.wal")
    publish(store, "first")
    kill_shell(path)
    stale = log.read_bytes()
    publish(store, "second")
    log.write_bytes(stale)
    publish(store, "third")
    assert f"{log} is not of this metrics.duckdb: left out" in caplog.text
    assert runs(path) == ["by hand", "first", "second", "third"]
    assert not log.exists()
