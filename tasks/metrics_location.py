"""Finds the metrics database of a store, and the remote's copy that machines share."""

from contextlib import suppress
from pathlib import Path

from tasks.metrics_db import atomic_update, is_current, pull_metrics
from tasks.metrics_file import find_damage, install
from tasks.store.remote.errors import ConflictError
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.remote.shared_file import SharedFile
from tasks.store.store import Store


def metrics_path(store: Store) -> Path:
    """The metrics database of a store, as new as the remote's. It may not exist yet."""
    path, shared = metrics_location(store)
    if shared:
        pull_metrics(shared)
    return path


def migrated_metrics(store: Store) -> Path:
    """The same path, after a file of an earlier version was given the newest tables and views.

    Raises as `atomic_update` does.
    """
    path = metrics_path(store)
    if path.exists() and not is_current(path):
        with suppress(ConflictError), atomic_update(*metrics_location(store)):
            pass  # a conflict: another machine has just published, and so migrated
        path = metrics_path(store)
    return path


def metrics_location(store: Store) -> tuple[Path, SharedFile | None]:
    """The metrics database of a store, and with a remote the file there: for `atomic_update`."""
    path = store.root / "artifacts" / "metrics.duckdb"
    if store.remote is None:
        return path, None
    name = path.relative_to(store.root).as_posix()
    return path, SharedFile(path, RemoteStore(store.remote), name, find_damage, install)
