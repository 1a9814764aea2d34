"""Finds finished artifacts by kind, fingerprint and lineage, on this disk and in the remote."""

import dataclasses
import logging
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks.store.artifacts import KINDS, Artifact
from tasks.store.checksum import hash_unchanged_file
from tasks.store.durable import discard_folder
from tasks.store.file_lock import file_lock
from tasks.store.manifest import StoreError, find_corruption
from tasks.store.remote.remote_store import RemoteStore

A = TypeVar("A", bound=Artifact)
FINGERPRINT = re.compile("[0-9a-f]+")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoreReader:
    """The folders `data/` and `artifacts/` below `root`, and their copies in the remote.

    `remote` is `s3://bucket/prefix` or the path of a mount, where finished artifacts have the same
    names. Every method raises RemoteError where it needs the remote and cannot reach it.
    """

    root: Path
    remote: str | None = None

    def find(self, kind: type[A], prefix: str) -> A:
        """The finished artifact whose fingerprint begins with `prefix`, verified by its hashes.

        Raises StoreError where there is none, more than one, or a corrupt one.
        """
        if FINGERPRINT.fullmatch(prefix) and self._path(kind, prefix).exists():
            return self.ensure_local(self._artifact(kind, prefix))
        known = sorted(self.fingerprints(kind))
        match [fingerprint for fingerprint in known if fingerprint.startswith(prefix)]:
            case [fingerprint]:
                return self.ensure_local(self._artifact(kind, fingerprint))
            case found:
                raise StoreError(
                    f'{len(found)} artifacts of kind {kind.kind()} begin with "{prefix}": '
                    f"there are {', '.join(known) or 'none'}"
                )

    def find_all(self, kind: type[A]) -> list[A]:
        """All finished artifacts of a kind, the newest last.

        Downloads all of them: `manifests` is cheaper for a look-up.
        """
        return [self.find(kind, fingerprint) for fingerprint in self.fingerprints(kind)]

    def manifests(self, kind: type[Artifact]) -> Iterator[dict[str, Any]]:
        """The manifests of all finished artifacts of a kind, the newest first, without damaged."""
        for fingerprint in reversed(self.fingerprints(kind)):
            try:
                yield self.read_manifest(kind, fingerprint)
            except StoreError as error:
                log.warning("%s", error)

    def read_manifest(self, kind: type[Artifact], fingerprint: str) -> dict[str, Any]:
        """From this disk, or from the remote without downloading the rest.

        Raises StoreError where it is missing or damaged.
        """
        name = relative_name(kind, fingerprint)
        try:
            if self._path(kind, fingerprint).exists() or not self._remote:
                return self._artifact(kind, fingerprint).manifest
            if manifest := self._remote.read_manifest(name):
                return manifest
            reason = f"missing here and in {self._remote}"
        except FileNotFoundError:
            reason = "missing"
        except ValueError as error:
            reason = f"damaged: {error}"
        raise StoreError(f"the manifest of {name} is {reason}; repeat the run that made it")

    def ancestor(self, kind: type[A], artifact: Artifact) -> A:
        """The nearest artifact of that kind in the lineage, breadth first, verified by its hashes.

        Raises StoreError where the lineage has none, as far as its kinds are known: a kind of an
        earlier version of the project ends it.
        """
        return self.find(kind, self._nearest(kind, artifact))

    def recipe(self, kind: type[Artifact], artifact: Artifact) -> dict[str, Any]:
        """The settings of the same ancestor, whose tables are neither read nor downloaded."""
        return dict(self.ancestor_manifest(kind, artifact)["recipe"])

    def ancestor_manifest(self, kind: type[Artifact], artifact: Artifact) -> dict[str, Any]:
        """The manifest of the same ancestor, likewise."""
        return self.read_manifest(kind, self._nearest(kind, artifact))

    def _nearest(self, kind: type[Artifact], artifact: Artifact) -> str:
        """The fingerprint of the nearest artifact of that kind in the lineage."""
        kinds = {one.kind(): one for one in KINDS}
        queue = [artifact.manifest]
        while queue:
            for parent in queue.pop(0)["parents"]:
                if parent["kind"] == kind.kind():
                    return str(parent["fingerprint"])
                if known := kinds.get(parent["kind"]):
                    queue.append(self.read_manifest(known, parent["fingerprint"]))
        raise StoreError(
            f"{artifact.kind()} {artifact.fingerprint} was not made from any {kind.kind()}"
        )

    def ensure_local(self, artifact: A) -> A:
        """The same artifact on this machine's disk, downloaded if it is not there or is corrupt.

        Raises StoreError where neither disk nor remote has it whole, CorruptArtifactError where the
        remote's copy differs from its manifest.
        """
        kind, fingerprint = type(artifact), artifact.fingerprint
        path = self._path(kind, fingerprint)
        if not path.exists() or find_corruption(path, hash_unchanged_file):
            with self._artifact_lock(kind, fingerprint):
                self._restore(kind, fingerprint)
        return dataclasses.replace(artifact, path=path)

    def _restore(self, kind: type[Artifact], fingerprint: str) -> None:
        """Download an artifact that is missing or corrupt, unless another process just did."""
        path, name = self._path(kind, fingerprint), f"{kind.kind()} {fingerprint}"
        reason = find_corruption(path, hash_unchanged_file) if path.exists() else "missing"
        if reason is None:
            return
        if self._remote and self._remote.is_finished(relative_name(kind, fingerprint)):
            if path.exists():
                log.warning("%s is corrupt (%s): fetching it again", name, reason)
                discard_folder(path)
            if self._download(kind, fingerprint):
                return
        if path.exists():
            raise StoreError(
                f"{name} is corrupt ({reason}), and no other copy is known: repeat the run that "
                f"made it, or bring {path} back from a backup"
            )
        raise StoreError(
            f"{name} is neither in {self.root} nor in {self._remote or 'a remote'}: repeat the run "
            "that made it"
        )

    @property
    def _remote(self) -> RemoteStore | None:
        return RemoteStore(self.remote) if self.remote else None

    def _folder(self, kind: type[Artifact]) -> Path:
        folder = self.root / relative_name(kind)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _path(self, kind: type[Artifact], fingerprint: str) -> Path:
        self._folder(kind)
        return self.root / relative_name(kind, fingerprint)

    def _artifact(self, kind: type[A], fingerprint: str) -> A:
        return kind(self._path(kind, fingerprint), fingerprint, cache_hit=True)

    def fingerprints(self, kind: type[Artifact]) -> list[str]:
        """Of all that is finished on this disk or in the remote, the newest last."""
        finished_at: dict[str, float] = {}
        if self._remote:
            folders = self._remote.list_folders(relative_name(kind)).items()
            finished_at = {
                Path(name).name: folder.finished_at
                for name, folder in folders
                if folder.finished_at
            }
        for file in self._folder(kind).glob("[!.]*/manifest.json"):
            finished_at[file.parent.name] = file.stat().st_mtime
        names = filter(FINGERPRINT.fullmatch, finished_at)  # a copy by hand has another name
        return sorted(names, key=finished_at.__getitem__)

    def _download(self, kind: type[A], fingerprint: str) -> A | None:
        """The remote's copy, brought to this disk; None where it has none."""
        path = self._path(kind, fingerprint)
        if not self._remote or not self._remote.download(relative_name(kind, fingerprint), path):
            return None
        return self._artifact(kind, fingerprint)

    def _artifact_lock(
        self, kind: type[Artifact], fingerprint: str
    ) -> AbstractContextManager[None]:
        """One process builds or downloads an artifact; the others wait and find it finished."""
        path = self._path(kind, fingerprint).with_name(f".lock-{fingerprint}")
        return file_lock(path, f"the builder of {kind.kind()} {fingerprint}")


def relative_name(kind: type[Artifact], *fingerprint: str) -> str:
    """Of a folder below the root of a store, and of a remote.

    Raises StoreError for a fingerprint that is none: what is typed, and what a damaged manifest
    names, never becomes a path to elsewhere.
    """
    if wrong := [one for one in fingerprint if not FINGERPRINT.fullmatch(one)]:
        raise StoreError(f'no {kind.kind()} "{wrong[0]}": a fingerprint is hexadecimal')
    return "/".join((kind.top_level, kind.kind(), *fingerprint))
