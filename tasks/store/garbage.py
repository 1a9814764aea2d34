"""Deletes artifacts that no kept run depends on, on this disk and in the remote."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.store.artifacts import KINDS, Report
from tasks.store.durable import discard_folder
from tasks.store.reader import FINGERPRINT
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.store import Store

log = logging.getLogger(__name__)
TOP_LEVELS = ("data", "artifacts")
ArtifactId = tuple[str, str]  # kind, fingerprint


@dataclass(frozen=True)
class Garbage:
    """An unreachable artifact, or the draft of a run that died.

    It is on this disk, or in the remote, where `path` is its name; there it is garbage only if
    nobody has used it after `unused_since`, in seconds since 1970.
    """

    kind: str
    path: Path
    bytes: int
    remote: RemoteStore | None = None
    unused_since: float = 0.0


def find_unreachable(
    store: Store, roots: Iterable[ArtifactId], *, spared_days: float
) -> list[Garbage]:
    """All but the roots, what was finished within `spared_days`, their lineage and their reports.

    By kind and name. A run that died may go on with what it finished, and with a draft to which
    something was written within these days; another machine's run, not published yet, may depend
    on a remote artifact. A run that reuses a remote one touches it, and it is as good as new.

    Raises StoreError where the manifest of what stays is damaged.
    """
    oldest = time.time() - spared_days * 24 * 3600
    reachable = _find_reachable(store, [*roots, *_finished_since(store, oldest)])
    paths = [p for p in _finished_folders(store) if (p.parent.name, p.name) not in reachable]
    paths += [draft for draft in _drafts(store) if _modified_at(draft) < oldest]
    local = [Garbage(path.parent.name, path, _size(path)) for path in sorted(paths)]
    return local + list(_unreachable_in_remote(store, reachable, oldest))


def delete(garbage: Iterable[Garbage]) -> None:
    """Rename first, then delete: an interruption never leaves a partial artifact visible.

    In the remote the age is looked up again right before: another machine's run may have begun.
    """
    for item in garbage:
        if item.remote:
            name = item.path.as_posix()
            if item.remote.last_used(name) < item.unused_since:
                item.remote.delete(name)
            else:
                log.info("%s has been used since: kept", name)
            continue
        discard_folder(item.path)
        item.path.with_name(f".lock-{item.path.name}").unlink(missing_ok=True)


def _find_reachable(store: Store, roots: Iterable[ArtifactId]) -> set[ArtifactId]:
    """The roots, their lineage, and the reports that were made from these.

    Raises StoreError where a manifest on the way is damaged: what it was made from is unknown.
    """
    kinds = {kind.kind(): kind for kind in KINDS}
    finished = {name: set(store.fingerprints(kind)) for name, kind in kinds.items()}
    reachable: set[ArtifactId] = set()
    queue = list(roots)
    while queue:
        if (artifact := queue.pop()) in reachable:
            continue
        reachable.add(artifact)
        name, fingerprint = artifact
        if fingerprint in finished.get(name, ()):
            queue += _parents(store.read_manifest(kinds[name], fingerprint))
    reports = {
        (Report.kind(), manifest["fingerprint"])
        for manifest in store.manifests(Report)
        if reachable.issuperset(_parents(manifest))
    }
    return reachable | reports


def _parents(manifest: Mapping[str, Any]) -> list[ArtifactId]:
    return [(parent["kind"], parent["fingerprint"]) for parent in manifest["parents"]]


def _unreachable_in_remote(
    store: Store, reachable: set[ArtifactId], oldest: float
) -> Iterator[Garbage]:
    if store.remote is None:
        return
    remote = RemoteStore(store.remote)
    for top_level in TOP_LEVELS:
        for name, folder in sorted(remote.list_folders(top_level).items()):
            _, kind, fingerprint = name.split("/")
            needless = (kind, fingerprint) not in reachable or folder.finished_at is None
            if needless and folder.modified_at < oldest:
                yield Garbage(kind, Path(name), folder.bytes, remote, unused_since=oldest)


def _finished_folders(store: Store) -> list[Path]:
    return [
        manifest.parent
        for top_level in TOP_LEVELS
        for manifest in store.root.glob(f"{top_level}/*/[!.]*/manifest.json")
        if FINGERPRINT.fullmatch(manifest.parent.name)  # not what is served, nor a copy by hand
    ]


def _finished_since(store: Store, moment: float) -> list[ArtifactId]:
    return [
        (path.parent.name, path.name)
        for path in _finished_folders(store)
        if (path / "manifest.json").stat().st_mtime >= moment
    ]


def _drafts(store: Store) -> list[Path]:
    """Of runs that died, and what an interrupted deletion has renamed."""
    return [
        path
        for top_level in TOP_LEVELS
        for prefix in ("draft", "gone")
        for path in store.root.glob(f"{top_level}/*/.{prefix}-*")
        if path.is_dir()
    ]


def _modified_at(folder: Path) -> float:
    if folder.name.startswith(".gone-"):
        return 0
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
