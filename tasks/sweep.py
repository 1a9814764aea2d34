"""Clears away what no kept night stands on."""

import json
import logging
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.artifacts import Report
from tasks.store import Store

log = logging.getLogger(__name__)
Name = tuple[str, str]  # kind, fingerprint


@dataclass(frozen=True)
class Leftover:
    """A folder that nobody needs: a finished artifact, or the draft of a run that died."""

    kind: str
    path: Path
    bytes: int


def leftovers(store: Store, needed: Iterable[Name], *, draft_days: float) -> list[Leftover]:
    """What would go, by kind and name: all but `needed`, what it was made from, and its reports.

    A draft goes when nobody has written to it for so many days: until then a night may go on
    with it.
    """
    parents = {name: _parents(folder) for name, folder in _finished(store).items()}
    kept: set[Name] = set()
    queue = list(needed)
    while queue:
        if (name := queue.pop()) not in kept:
            kept.add(name)
            queue += parents.get(name, ())
    kept |= {n for n, of in parents.items() if n[0] == Report.kind() and kept.issuperset(of)}
    gone = [folder for name, folder in _finished(store).items() if name not in kept]
    oldest = time.time() - draft_days * 24 * 3600
    gone += [draft for draft in _drafts(store) if _touched(draft) < oldest]
    return [Leftover(path.parent.name, path, _size(path)) for path in sorted(gone)]


def clear(found: Iterable[Leftover]) -> None:
    """Take each away in one step, and then its bytes: who is killed leaves nothing half there."""
    for leftover in found:
        hidden = leftover.path.with_name(f".gone-{leftover.path.name.lstrip('.')}")
        leftover.path.rename(hidden)
        shutil.rmtree(hidden)
        leftover.path.with_name(f".lock-{leftover.path.name}").unlink(missing_ok=True)


def _finished(store: Store) -> dict[Name, Path]:
    manifests = (
        m
        for home in ("data", "artifacts")
        for m in store.root.glob(f"{home}/*/[!.]*/manifest.json")
    )
    return {(m.parent.parent.name, m.parent.name): m.parent for m in manifests}


def _parents(folder: Path) -> list[Name]:
    told = json.loads((folder / "manifest.json").read_text())["parents"]
    return [(parent["kind"], parent["fingerprint"]) for parent in told]


def _drafts(store: Store) -> list[Path]:
    """Of runs that died, and what a sweep that was killed has hidden already."""
    return [
        p
        for home in ("data", "artifacts")
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
