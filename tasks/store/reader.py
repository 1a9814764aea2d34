"""Finds finished artifacts by kind, fingerprint and lineage, on this disk and in the remote."""

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks.store.artifacts import KINDS, Artifact
from tasks.store.file_lock import file_lock
from tasks.store.manifest import StoreError
from tasks.store.remote.remote_store import RemoteStore

A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class StoreReader:
    """The folders `data/` and `artifacts/` below `root`, and their copies in the remote.

    `remote` is `s3://bucket/prefix` or the path of a mount, where finished artifacts have the same
    names. Every method raises RemoteError where it needs the remote and cannot reach it.
    """

    root: Path
    remote: str | None = None

    def find(self, kind: type[A], prefix: str) -> A:
        """The finished artifact whose fingerprint begins with `prefix`.

        Raises StoreError where there is none, or more than one.
        """
        if prefix and (self._folder(kind) / prefix).exists():
            return self._artifact(kind, prefix)
        known = sorted(self._fingerprints(kind))
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
        return [self.find(kind, fingerprint) for fingerprint in self._fingerprints(kind)]

    def manifests(self, kind: type[Artifact]) -> Iterator[dict[str, Any]]:
        """The manifests of all finished artifacts of a kind, the newest first."""
        for fingerprint in reversed(self._fingerprints(kind)):
            yield self._read_manifest(kind, fingerprint)

    def ancestor(self, kind: type[A], artifact: Artifact) -> A:
        """The nearest artifact of that kind in the lineage, breadth first.

        Raises StoreError where the lineage has none, as far as its kinds are known: a kind of an
        earlier version of the project ends it.
        """
        kinds = {one.kind(): one for one in KINDS}
        queue = [artifact.manifest]
        while queue:
            for parent in queue.pop(0)["parents"]:
                if parent["kind"] == kind.kind():
                    return self.find(kind, parent["fingerprint"])
                if known := kinds.get(parent["kind"]):
                    queue.append(self._read_manifest(known, parent["fingerprint"]))
        raise StoreError(
            f"{artifact.kind()} {artifact.fingerprint} was not made from any {kind.kind()}"
        )

    def ensure_local(self, artifact: A) -> A:
        """The same artifact on this machine's disk, downloaded if it is not there.

        Raises StoreError where neither disk nor remote has it, CorruptArtifactError where the
        remote's copy differs from its manifest.
        """
        kind, fingerprint = type(artifact), artifact.fingerprint
        folder = self._folder(kind) / fingerprint
        if not folder.exists():
            with self._artifact_lock(kind, fingerprint):
                if not folder.exists() and not self._download(kind, fingerprint):
                    raise StoreError(
                        f"{kind.kind()} {fingerprint} is neither in {self.root} nor in "
                        f"{self._remote or 'a remote'}: repeat the run that made it"
                    )
        return dataclasses.replace(artifact, path=folder)

    @property
    def _remote(self) -> RemoteStore | None:
        return RemoteStore(self.remote) if self.remote else None

    def _folder(self, kind: type[Artifact]) -> Path:
        folder = self.root / relative_name(kind)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _artifact(self, kind: type[A], fingerprint: str) -> A:
        return kind(self._folder(kind) / fingerprint, fingerprint, cache_hit=True)

    def _fingerprints(self, kind: type[Artifact]) -> list[str]:
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
        return sorted(finished_at, key=finished_at.__getitem__)

    def _read_manifest(self, kind: type[Artifact], fingerprint: str) -> dict[str, Any]:
        """From this disk, or from the remote without downloading the rest."""
        if self._remote and not (self._folder(kind) / fingerprint).exists():
            return self._remote.read_manifest(relative_name(kind, fingerprint))
        return self._artifact(kind, fingerprint).manifest

    def _download(self, kind: type[A], fingerprint: str) -> A | None:
        """The remote's copy, brought to this disk; None where it has none."""
        folder = self._folder(kind) / fingerprint
        if not self._remote or not self._remote.download(relative_name(kind, fingerprint), folder):
            return None
        return self._artifact(kind, fingerprint)

    def _artifact_lock(
        self, kind: type[Artifact], fingerprint: str
    ) -> AbstractContextManager[None]:
        """One process builds or downloads an artifact; the others wait and find it finished."""
        path = self._folder(kind) / f".lock-{fingerprint}"
        return file_lock(path, f"the builder of {kind.kind()} {fingerprint}")


def relative_name(kind: type[Artifact], *fingerprint: str) -> str:
    """Of a folder below the root of a store, and of a remote."""
    return "/".join((kind.top_level, kind.kind(), *fingerprint))
