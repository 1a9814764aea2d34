"""What flows and workers write is private to their user, wherever they write it."""

import os
import zipfile
from pathlib import Path

import pytest

from flows.settings import open_store
from tasks.executor import connect_cluster
from tasks.ingest.resolve_source import resolve_source
from tasks.metrics_db import atomic_update
from tasks.store.remote.mount import Mount
from tasks.store.store import Store


@pytest.fixture(autouse=True)
def usual_umask():
    """As most systems set it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]


def test_a_store_and_its_remote_are_their_users_alone(tmp_path, monkeypatch):
    for name in ("data", "artifacts", "mount"):
        (tmp_path / "here" / name).mkdir(parents=True)
    (tmp_path / "here").chmod(0o700)
    root, mount = tmp_path / "here", tmp_path / "here" / "mount"
    mount.chmod(0o700)
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(root))
    monkeypatch.setenv("CONTENT_ADVISOR_REMOTE", str(mount))
    store = open_store()
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("ratings.csv", "userId,movieId,rating,timestamp\n1,1,5,1\n")
    resolve_source(str(tmp_path / "mine.zip"), root / "data" / "raw")
    with atomic_update(root / "artifacts" / "metrics.duckdb"):
        assert open_to_others(root) == []  # its draft is there now
    Mount(mount).upload({"artifacts/x/y": root / "artifacts" / "metrics.duckdb"})
    with store.exclusive_lock("a test", wait=False):
        assert open_to_others(root) == []
    assert list(mount.rglob("y"))


def test_a_store_of_another_user_stays_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: -1)
    open_store()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0o055


def write_there(file: Path) -> int:
    file.write_text("a shard")
    return file.stat().st_mode & 0o777


def test_what_a_worker_of_a_cluster_writes_is_private(tmp_path, cluster):
    with connect_cluster(cluster, Store(tmp_path), []) as workers:
        assert workers.submit(write_there, tmp_path / "shard").result() == 0o600
