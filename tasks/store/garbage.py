"""Clears away what no kept night stands on, here and in the remote."""

import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.store.artifacts import Artifact, Report
from tasks.store.remote.remote_store import Remote
from tasks.store.store import Store

log = logging.getLogger(__name__)
HOMES = ("data", "artifacts")
Name = tuple[str, str]  # kind, fingerprint


@dataclass(frozen=True)
class Leftover:
    """A folder that nobody needs: a finished artifact, or what a run that died has left of one.

    It is here, or in the remote, where `path` is its name.
    """

    kind: str
    path: Path
    bytes: int
    remote: Remote | None = None


def leftovers(store: Store, needed: Iterable[Name], *, draft_days: float) -> list[Leftover]:
    """What would go, by kind and name: all but `needed`, what it was made from, and its reports.

    A draft goes when nobody has written to it for so many days: until then a night may go on
    with it. So does what is in the remote: a night of another machine may stand on it, which is
    not published yet.
    """
    kept = _stood_on(store, needed)
    oldest = time.time() - draft_days * 24 * 3600
    gone = [folder for folder in _finished(store) if (folder.parent.name, folder.name) not in kept]
    gone += [draft for draft in _drafts(store) if _touched(draft) < oldest]
    here = [Leftover(path.parent.name, path, _size(path)) for path in sorted(gone)]
    return here + list(_left_there(store, kept, oldest))


def clear(found: Iterable[Leftover]) -> None:
    """Take each away in one step, and then its bytes: who is killed leaves nothing half there."""
    for leftover in found:
        if leftover.remote:
            leftover.remote.remove(leftover.path.as_posix())
            continue
        hidden = leftover.path.with_name(f".gone-{leftover.path.name.lstrip('.')}")
        leftover.path.rename(hidden)
        shutil.rmtree(hidden)
        leftover.path.with_name(f".lock-{leftover.path.name}").unlink(missing_ok=True)


def _stood_on(store: Store, needed: Iterable[Name]) -> set[Name]:
    """What is needed, all that it was made from, and the reports of such."""
    parents = {
        (told["kind"], told["fingerprint"]): [
            (p["kind"], p["fingerprint"]) for p in told["parents"]
        ]
        for kind in Artifact.kinds()
        for told in store.manifests(kind)
    }
    kept: set[Name] = set()
    queue = list(needed)
    while queue:
        if (name := queue.pop()) not in kept:
            kept.add(name)
            queue += parents.get(name, ())
    return kept | {n for n, of in parents.items() if n[0] == Report.kind() and kept.issuperset(of)}


def _left_there(store: Store, kept: set[Name], oldest: float) -> Iterator[Leftover]:
    if store.remote is None:
        return
    remote = Remote(store.remote)
    for home in HOMES:
        for name, folder in sorted(remote.folders(home).items()):
            _, kind, fingerprint = name.split("/")
            needless = (kind, fingerprint) not in kept or folder.finished is None
            if needless and folder.touched < oldest:
                yield Leftover(kind, Path(name), folder.bytes, remote)


def _finished(store: Store) -> list[Path]:
    manifests = (m for home in HOMES for m in store.root.glob(f"{home}/*/[!.]*/manifest.json"))
    return [manifest.parent for manifest in manifests]


def _drafts(store: Store) -> list[Path]:
    """Of runs that died, and what a sweep that was killed has hidden already."""
    return [
        p
        for home in HOMES
        for name in ("draft", "gone")
        for p in store.root.glob(f"{home}/*/.{name}-*")
        if p.is_dir()
    ]


def _touched(folder: Path) -> float:
    if folder.name.startswith(".gone-"):
        return 0
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
