"""Where artifacts live: a draft is written, checked, sealed with a manifest and renamed.

A folder under its final name is finished, always. Its fingerprint says what it was made of
(kind, recipe, code of the room, parents), so the same work is never done twice, and a run that
dies leaves nothing but a draft, which the next run of the same work clears away or continues.
With a remote, what one machine has finished no other one does again.
"""

import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from tasks.store.artifacts import Artifact
from tasks.store.code_version import code_version
from tasks.store.manifest import StoreError, checked_rows, damage, into_place, seal
from tasks.store.remote.errors import DamagedError
from tasks.store.remote.remote_store import Remote
from tasks.store.resource_usage import metered

__all__ = ["Store", "StoreBusyError", "StoreError"]

log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)


class StoreBusyError(Exception):
    """Somebody else works on the whole store."""


@dataclass(frozen=True)
class Store:
    """The folders `data/` and `artifacts/` below `root`, and where else they are kept.

    `remote` is `s3://bucket/prefix` or the path of a mount, where finished artifacts have the same
    names. Whatever needs it raises RemoteError where it cannot be reached.
    """

    root: Path
    remote: str | None = None

    def build(
        self,
        kind: type[A],
        *,
        recipe: pydantic.BaseModel | Mapping[str, Any],
        parents: Sequence[Artifact] = (),
        write: Callable[[Path], Mapping[str, Any] | None],
        resumable: bool = False,
    ) -> A:
        """Return the finished folder of this work, building it first where there is none.

        `write` fills the draft folder and may return notes for the manifest. With `resumable`
        it finds the draft as a killed run left it, and goes on from there. Without a folder here,
        one in the remote is fetched; what was built here is kept there as well.

        Raises StoreError where the draft lacks a promised table or column.
        """
        settings = (
            recipe.model_dump(mode="json") if isinstance(recipe, pydantic.BaseModel) else recipe
        )
        identity = {
            "kind": kind.kind(),
            "recipe": dict(settings),
            "code": code_version(write),
            "parents": [{"kind": p.kind(), "fingerprint": p.fingerprint} for p in parents],
        }
        hashed = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
        fingerprint = hashed.hexdigest()[:16]
        with self._alone(kind, fingerprint):
            if found := self._intact(kind, fingerprint):
                how = "reused"
            elif found := self._mended(kind, fingerprint):
                how = "fetched"
            else:
                found = self._built(kind, fingerprint, identity, write, resumable)
                how = "built"
            if self._there and how != "fetched":
                self._there.keep(found.path, _name(kind, fingerprint))
            _tell(found, write, how)
            return found

    def here(self, artifact: A) -> A:
        """The same artifact on this machine's disk, fetched from the remote if it is not there.

        Raises StoreError where neither has it, DamagedError where what the remote has is not as
        its manifest says.
        """
        kind, fingerprint = type(artifact), artifact.fingerprint
        folder = self._folder(kind) / fingerprint
        if not folder.exists():
            with self._alone(kind, fingerprint):
                if not folder.exists() and not self._fetched(kind, fingerprint):
                    raise StoreError(
                        f"{kind.kind()} {fingerprint} is neither in {self.root} nor in "
                        f"{self._there or 'a remote'}: run the night again that made it"
                    )
        return dataclasses.replace(artifact, path=folder)

    def find(self, kind: type[A], fingerprint: str) -> A:
        """A finished artifact by its fingerprint, or by the beginning of one.

        Raises StoreError where none, or more than one, begins so.
        """
        if fingerprint and (folder := self._folder(kind) / fingerprint).exists():
            return kind(folder, fingerprint, cache_hit=True)
        known = sorted(self._names(kind))
        match [name for name in known if name.startswith(fingerprint)]:
            case [name]:
                return self.here(kind(self._folder(kind) / name, name, cache_hit=True))
            case found:
                raise StoreError(
                    f'{len(found)} artifacts of kind {kind.kind()} begin with "{fingerprint}": '
                    f"there are {', '.join(known) or 'none'}"
                )

    def finished(self, kind: type[A]) -> list[A]:
        """All finished artifacts of a kind, the one that was finished last at the end.

        All of them are fetched: to look for one, `manifests` does with less.
        """
        return [self.find(kind, name) for name in self._names(kind)]

    def manifests(self, kind: type[Artifact]) -> Iterator[dict[str, Any]]:
        """Of all finished artifacts of a kind, the one that was finished last first."""
        for name in reversed(self._names(kind)):
            yield self._manifest(kind, name)

    def parent(self, kind: type[A], of: Artifact) -> A:
        """The artifact of that kind from which `of` was made, near or far.

        Raises StoreError where its lineage has none.
        """
        kinds = {known.kind(): known for known in Artifact.kinds()}
        queue = [of.manifest]
        while queue:
            for parent in queue.pop(0)["parents"]:
                if parent["kind"] == kind.kind():
                    return self.find(kind, parent["fingerprint"])
                queue.append(self._manifest(kinds[parent["kind"]], parent["fingerprint"]))
        raise StoreError(f"{of.kind()} {of.fingerprint} was not made from any {kind.kind()}")

    def parents(self, kind: type[A], of: Artifact) -> list[A]:
        """The artifacts of that kind which `of` was made from directly, in the order they came."""
        made_from = [parent for parent in of.manifest["parents"] if parent["kind"] == kind.kind()]
        return [self.find(kind, parent["fingerprint"]) for parent in made_from]

    @contextmanager
    def held(self, by: str, *, wait: bool) -> Iterator[None]:
        """Work on the whole store: one night, or one sweep, at a time.

        Who comes second waits, or with `wait` false gets a StoreBusyError that names the first.
        The kernel lets go of what a killed process held. This holds on one machine: on several
        that share a remote, the concurrency limit of Prefect's deployments does, and without it
        two nights may do the same work twice, but neither loses anything.
        """
        (self.root / "artifacts").mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.root / "artifacts" / ".held", "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                busy = f"{lock.read()} works on this store"
                if not wait:
                    raise StoreBusyError(busy) from None
                log.info("%s: waiting for its end", busy)
                fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write(
                f"{by} (process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC)"
            )
            lock.flush()
            yield

    @property
    def _there(self) -> Remote | None:
        return Remote(self.remote) if self.remote else None

    def _folder(self, kind: type[Artifact]) -> Path:
        folder = self.root / _name(kind)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _names(self, kind: type[Artifact]) -> list[str]:
        """Fingerprints of what is finished here or in the remote, the last finished at the end."""
        ends: dict[str, float] = {}
        if self._there:
            kept = self._there.folders(_name(kind))
            ends = {Path(name).name: of.finished for name, of in kept.items() if of.finished}
        for file in self._folder(kind).glob("[!.]*/manifest.json"):
            ends[file.parent.name] = file.stat().st_mtime
        return sorted(ends, key=ends.__getitem__)

    def _manifest(self, kind: type[Artifact], fingerprint: str) -> dict[str, Any]:
        """Of what is finished here or in the remote, without fetching the rest."""
        folder = self._folder(kind) / fingerprint
        if self._there and not folder.exists():
            return self._there.manifest(_name(kind, fingerprint))
        return kind(folder, fingerprint).manifest

    def _intact(self, kind: type[A], fingerprint: str) -> A | None:
        """The finished folder if each file still has its hash; a damaged one is removed."""
        folder = self._folder(kind) / fingerprint
        if not folder.exists():
            return None
        if harm := damage(folder):
            log.warning("%s %s is damaged (%s): removing it", kind.kind(), fingerprint, harm)
            shutil.rmtree(folder)
            return None
        return kind(folder, fingerprint, cache_hit=True)

    def _built(
        self,
        kind: type[A],
        fingerprint: str,
        identity: Mapping[str, Any],
        write: Callable[[Path], Mapping[str, Any] | None],
        resumable: bool,
    ) -> A:
        folder = self._folder(kind) / fingerprint
        draft = folder.with_name(f".draft-{fingerprint}")
        if draft.exists() and not resumable:
            shutil.rmtree(draft)
        draft.mkdir(exist_ok=True, mode=0o700)
        with metered() as cost:
            notes = write(draft) or {}
        told = {
            "fingerprint": fingerprint,
            "rows": checked_rows(kind, draft),
            "metadata": dict(notes),
        }
        seal(draft, {**identity, **told}, cost)
        into_place(draft, folder)
        return kind(folder, fingerprint)

    def _fetched(self, kind: type[A], fingerprint: str) -> A | None:
        """What the remote has, brought here; None where it has none."""
        folder = self._folder(kind) / fingerprint
        if not self._there or not self._there.fetch(_name(kind, fingerprint), folder):
            return None
        return kind(folder, fingerprint, cache_hit=True)

    def _mended(self, kind: type[A], fingerprint: str) -> A | None:
        """The same, but what is damaged there is removed, to be built again."""
        try:
            return self._fetched(kind, fingerprint)
        except DamagedError as error:
            log.warning("%s: removing it there", error)
            Remote(str(self.remote)).remove(_name(kind, fingerprint))
            return None

    @contextmanager
    def _alone(self, kind: type[Artifact], fingerprint: str) -> Iterator[None]:
        """Hold the lock of one artifact: a second run waits here, and then finds it finished."""
        with open(self._folder(kind) / f".lock-{fingerprint}", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _name(kind: type[Artifact], *fingerprint: str) -> str:
    """Of a folder below the root, and in the remote."""
    return "/".join((kind.top_level, kind.kind(), *fingerprint))


def _tell(artifact: Artifact, write: Callable[..., Any], how: str) -> None:
    """One line a stage: room, name, rows, the seconds that building it took, how it was had."""
    room = write.__module__.removeprefix("tasks.").split(".")[0]
    rows = f"{int(artifact.cost['rows']):,} rows" if artifact.tables else ""
    log.info(
        "%-9s %-16s %15s %8.1f s  %s", room, artifact.kind(), rows, artifact.cost["seconds"], how
    )
