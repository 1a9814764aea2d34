"""Finds the metrics database of a store, and the remote's copy that machines share."""

from contextlib import suppress
from pathlib import Path

from tasks.metrics_db import atomic_update, is_current, open_readonly, pull_metrics
from tasks.metrics_file import find_damage, install
from tasks.published_files import RELATIONS
from tasks.store.remote.errors import ConflictError
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.remote.shared_file import SharedFile
from tasks.store.store import Store, StoreError


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


def fetch_published(store: Store, run_id: str | None) -> None:
    """Download the files of a published run, the newest by default, that only the remote has.

    What the remote lacks as well stays missing.
    """
    if store.remote is None:
        return
    query = (
        "select distinct file from published_files anti join present_files using (file) "
        "where run_id = coalesce(?, (select arg_max(run_id, run_at) from runs))"
    )
    with open_readonly(metrics_path(store)) as db:
        names = [str(file).split("/") for (file,) in db.execute(query, [run_id]).fetchall()]
    kinds = {kind.kind(): kind for kind, _ in RELATIONS.values()}
    for kind, fingerprint in sorted({(name[1], name[2]) for name in names if len(name) == 4}):
        with suppress(StoreError):
            store.find(kinds[kind], fingerprint)


def metrics_location(store: Store) -> tuple[Path, SharedFile | None]:
    """The metrics database of a store, and with a remote the file there: for `atomic_update`."""
    path = store.root / "artifacts" / "metrics.duckdb"
    if store.remote is None:
        return path, None
    name = path.relative_to(store.root).as_posix()
    return path, SharedFile(path, RemoteStore(store.remote), name, find_damage, install)
