"""Builds artifacts: a draft is written, verified, given a manifest and renamed.

A folder under its final name is finished. Its fingerprint hashes what it was made of (kind,
recipe, code, parents), so the same work is done once. A run that dies leaves only a draft, which
the next run of the same work deletes or resumes. With a remote, one machine builds an artifact
and the others download it.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from tasks.store.artifacts import Artifact
from tasks.store.code_version import code_version
from tasks.store.durable import discard_folder, durable_rename
from tasks.store.file_lock import DAY, StoreBusyError, file_lock
from tasks.store.manifest import (
    StoreError,
    find_corruption,
    verify_tables,
    write_manifest,
)
from tasks.store.reader import A, StoreReader, relative_name
from tasks.store.remote.errors import CorruptArtifactError
from tasks.store.resource_usage import measure_usage

__all__ = ["Store", "StoreBusyError", "StoreError"]

log = logging.getLogger(__name__)
Write = Callable[[Path], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Store(StoreReader):
    """Finds finished artifacts, and builds those that are missing."""

    def build(
        self,
        kind: type[A],
        *,
        recipe: pydantic.BaseModel | Mapping[str, Any],
        parents: Sequence[Artifact] = (),
        write: Write,
        resumable: bool = False,
    ) -> A:
        """Return the finished artifact of this work: found, downloaded or built.

        `write` fills the draft folder and may return metadata for the manifest. With `resumable`
        it finds the draft of a killed run, and continues it. What was built is uploaded to the
        remote.

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
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
        fingerprint = digest.hexdigest()[:16]
        with self._artifact_lock(kind, fingerprint):
            if artifact := self._load_verified(kind, fingerprint):
                origin = "reused"
            elif artifact := self._refetch_or_discard(kind, fingerprint):
                origin = "fetched"
            else:
                artifact = self._build_draft(kind, fingerprint, identity, write, resumable)
                origin = "built"
            if self._remote and origin != "fetched":
                self._remote.upload(artifact.path, relative_name(kind, fingerprint))
            _log_stage(artifact, write, origin)
            return artifact

    def find_earlier(
        self,
        kind: type[A],
        *,
        recipe: pydantic.BaseModel | Mapping[str, Any],
        write: Write,
        parents: Sequence[Artifact],
    ) -> A | None:
        """The newest whole artifact here of the same recipe and code, with these among its parents.

        What the other parents leave as it was, a stage can take from it. None where there is none.
        """
        settings = (
            recipe.model_dump(mode="json") if isinstance(recipe, pydantic.BaseModel) else recipe
        )
        shared = [{"kind": p.kind(), "fingerprint": p.fingerprint} for p in parents]
        for manifest in self.manifests(kind):
            same = (manifest["recipe"], manifest["code"]) == (dict(settings), code_version(write))
            if same and all(parent in manifest["parents"] for parent in shared):
                path = self._path(kind, manifest["fingerprint"])
                if path.exists() and not find_corruption(path):
                    return kind(path, manifest["fingerprint"])
        return None

    def exclusive_lock(self, holder: str, *, wait: bool) -> AbstractContextManager[None]:
        """Work on the whole store: one run, or one garbage collection, at a time.

        Waits up to a day for the holder to end; with `wait` false not at all. Then raises
        StoreBusyError, which names the holder. This holds on one machine: on several that share a
        remote, the concurrency limit of Prefect's queue does, and without it two runs may do the
        same work twice, but neither loses anything.
        """
        return file_lock(self.root / "artifacts" / ".lock", holder, timeout=DAY if wait else 0)

    def _load_verified(self, kind: type[A], fingerprint: str) -> A | None:
        """The finished folder if every file still has its hash; a corrupt one is deleted."""
        artifact = self._artifact(kind, fingerprint)
        if not artifact.path.exists():
            return None
        if reason := find_corruption(artifact.path):
            log.warning("%s %s is corrupt (%s): deleting it", kind.kind(), fingerprint, reason)
            discard_folder(artifact.path)
            return None
        return artifact

    def _refetch_or_discard(self, kind: type[A], fingerprint: str) -> A | None:
        """The remote's copy; a corrupt one is deleted there, to be built again."""
        try:
            if self._remote:
                self._remote.touch(relative_name(kind, fingerprint))
            return self._download(kind, fingerprint)
        except CorruptArtifactError as error:
            log.warning("%s: deleting it there", error)
            if self._remote:
                self._remote.delete(relative_name(kind, fingerprint))
            return None

    def _build_draft(
        self,
        kind: type[A],
        fingerprint: str,
        identity: Mapping[str, Any],
        write: Write,
        resumable: bool,
    ) -> A:
        folder = self._path(kind, fingerprint)
        draft = folder.with_name(f".draft-{fingerprint}")
        if draft.exists() and not resumable:
            shutil.rmtree(draft)
        draft.mkdir(exist_ok=True, mode=0o700)
        with measure_usage() as cost:
            metadata = write(draft) or {}
        manifest = {
            **identity,
            "fingerprint": fingerprint,
            "rows": verify_tables(kind, draft),
            "metadata": dict(metadata),
        }
        write_manifest(draft, manifest, cost)
        durable_rename(draft, folder)
        return kind(folder, fingerprint)


def _log_stage(artifact: Artifact, write: Write, origin: str) -> None:
    """One line: stage, kind, rows, seconds that building took, and whether it was built now."""
    stage = write.__module__.removeprefix("tasks.").split(".")[0]
    rows = f"{int(artifact.cost['rows']):,} rows" if artifact.tables else ""
    seconds = artifact.cost["seconds"]
    log.info("%-9s %-19s %15s %8.1f s  %s", stage, artifact.kind(), rows, seconds, origin)
