"""Where artifacts live: a draft is written, checked, sealed with a manifest and renamed.

A folder under its final name is finished, always. Its fingerprint says what it was made of
(kind, recipe, code of the room, parents), so the same work is never done twice, and a run that
dies leaves nothing but a draft, which the next run of the same work clears away or continues.
"""

import fcntl
import fnmatch
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

import pyarrow.parquet as pq
import pydantic

from tasks.artifacts import Artifact, Table
from tasks.code_version import code_version
from tasks.meter import metered

log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)

# What a clock, a meter or a renderer wrote: it differs between two equal builds, so the
# manifest, which is the same for the same inputs, does not list it.
MEASURED = ("manifest.json", "cost.json", "measured-*", "measured-*/*")


class StoreError(Exception):
    """A draft does not hold what its kind promises, or an artifact is not there."""


class StoreBusyError(Exception):
    """Somebody else works on the whole store."""


@dataclass(frozen=True)
class Store:
    """The folders `data/` and `artifacts/` below `root`."""

    root: Path

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
        it finds the draft as a killed run left it, and goes on from there.

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
        fingerprint = _digest(json.dumps(identity, sort_keys=True).encode())
        with self._alone(kind, fingerprint):
            if found := self._intact(kind, fingerprint):
                _tell(found, write)
                return found
            draft = self._folder(kind) / f".draft-{fingerprint}"
            if draft.exists() and not resumable:
                shutil.rmtree(draft)
            draft.mkdir(exist_ok=True, mode=0o700)
            with metered() as cost:
                notes = write(draft) or {}
            rows = _checked_rows(kind, draft)
            _seal(
                draft,
                identity | {"fingerprint": fingerprint, "rows": rows, "notes": dict(notes)},
                cost,
            )
            os.rename(draft, self._folder(kind) / fingerprint)
            _sync(self._folder(kind))
            built = kind(self._folder(kind) / fingerprint, fingerprint)
            _tell(built, write)
            return built

    def find(self, kind: type[A], fingerprint: str) -> A:
        """A finished artifact by its fingerprint, or by the beginning of one.

        Raises StoreError where none, or more than one, begins so.
        """
        known = sorted(p.name for p in self._folder(kind).iterdir() if not p.name.startswith("."))
        match [name for name in known if name.startswith(fingerprint)]:
            case [name]:
                return kind(self._folder(kind) / name, name, reused=True)
            case found:
                raise StoreError(
                    f'{len(found)} artifacts of kind {kind.kind()} begin with "{fingerprint}": '
                    f"there are {', '.join(known) or 'none'}"
                )

    def here(self, artifact: A) -> A:
        """The same artifact, on this machine's disk."""
        if not artifact.path.exists():
            raise StoreError(f"{artifact.kind()} {artifact.fingerprint} is not on this machine")
        return artifact

    def finished(self, kind: type[A]) -> list[A]:
        """All finished artifacts of a kind, the one that was finished last at the end."""
        manifests = self._folder(kind).glob("[!.]*/manifest.json")
        folders = [file.parent for file in sorted(manifests, key=lambda f: f.stat().st_mtime_ns)]
        return [kind(folder, folder.name, reused=True) for folder in folders]

    def parent(self, kind: type[A], of: Artifact) -> A:
        """The artifact of that kind from which `of` was made, near or far.

        Raises StoreError where its lineage has none.
        """
        queue = [of.manifest]
        while queue:
            manifest = queue.pop(0)
            for parent in manifest["parents"]:
                if parent["kind"] == kind.kind():
                    return self.find(kind, parent["fingerprint"])
                folder = next(self.root.glob(f"*/{parent['kind']}/{parent['fingerprint']}"))
                queue.append(json.loads((folder / "manifest.json").read_text()))
        raise StoreError(f"{of.kind()} {of.fingerprint} was not made from any {kind.kind()}")

    def parents(self, kind: type[A], of: Artifact) -> list[A]:
        """The artifacts of that kind which `of` was made from directly, in the order they came."""
        made_from = [parent for parent in of.manifest["parents"] if parent["kind"] == kind.kind()]
        return [self.find(kind, parent["fingerprint"]) for parent in made_from]

    @contextmanager
    def held(self, by: str, *, wait: bool) -> Iterator[None]:
        """Work on the whole store: one night, or one sweep, at a time.

        Who comes second waits, or with `wait` false gets a StoreBusyError that names the first.
        The kernel lets go of what a killed process held.
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

    def _folder(self, kind: type[Artifact]) -> Path:
        folder = self.root / kind.home / kind.kind()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _intact(self, kind: type[A], fingerprint: str) -> A | None:
        """The finished folder if each file still has its hash; a damaged one is removed."""
        folder = self._folder(kind) / fingerprint
        if not folder.exists():
            return None
        if damage := _damage(folder):
            log.warning(
                "%s %s is damaged (%s): building it again", kind.kind(), fingerprint, damage
            )
            shutil.rmtree(folder)
            return None
        return kind(folder, fingerprint, reused=True)

    @contextmanager
    def _alone(self, kind: type[Artifact], fingerprint: str) -> Iterator[None]:
        """Hold the lock of one artifact: a second run waits here, and then finds it finished."""
        with open(self._folder(kind) / f".lock-{fingerprint}", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _tell(artifact: Artifact, write: Callable[..., Any]) -> None:
    """One line a stage: room, name, rows, the seconds that building it took, built or reused."""
    room = write.__module__.removeprefix("tasks.").split(".")[0]
    rows = f"{int(artifact.cost['rows']):,} rows" if artifact.tables else ""
    how = "reused" if artifact.reused else "built"
    log.info(
        "%-9s %-16s %15s %8.1f s  %s", room, artifact.kind(), rows, artifact.cost["seconds"], how
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sealed_files(folder: Path) -> list[Path]:
    """The files that the manifest answers for."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(fnmatch.fnmatch(str(path.relative_to(folder)), p) for p in MEASURED)
    )


def _damage(folder: Path) -> str | None:
    """What is wrong with a finished folder, or None."""
    try:
        listed = json.loads((folder / "manifest.json").read_text())["files"]
        json.loads((folder / "cost.json").read_text())
    except (OSError, ValueError, KeyError) as error:
        return f"its manifest or cost cannot be read: {error}"
    for name, expected in listed.items():
        try:
            if _file_hash(folder / name) != expected["sha256"]:
                return f"{name} has changed"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def _seal(draft: Path, manifest: dict[str, Any], cost: dict[str, float]) -> None:
    """Write cost and manifest, the manifest last, and bring all of it to the disk."""
    files = {
        str(path.relative_to(draft)): {"bytes": path.stat().st_size, "sha256": _file_hash(path)}
        for path in _sealed_files(draft)
    }
    cost["bytes"] = sum(path.stat().st_size for path in _sealed_files(draft))
    cost["rows"] = sum(manifest["rows"].values())
    (draft / "cost.json").write_text(json.dumps(cost, indent=1))
    manifest["files"] = files
    (draft / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    for path in draft.rglob("*"):
        _sync(path)
    _sync(draft)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked_rows(kind: type[Artifact], draft: Path) -> dict[str, int]:
    """Rows by table, after every file of every table has shown the promised columns."""
    return {name: _table_rows(kind, table, draft) for name, table in kind.tables.items()}


def _table_rows(kind: type[Artifact], table: Table, draft: Path) -> int:
    files = sorted(draft.glob(table.files))
    if not files:
        raise StoreError(f"{kind.kind()} promises {table.files}, and its room wrote none")
    rows = 0
    for file in files:
        schema = pq.read_schema(file)
        found = {field.name: _plain(str(field.type)) for field in schema}
        promised = {name: arrow_type for name, (arrow_type, _) in table.columns.items()}
        if found != promised:
            wrong = sorted(set(found.items()) ^ set(promised.items()))
            raise StoreError(f"{kind.kind()} {file.name} breaks its promised columns in {wrong}")
        rows += pq.read_metadata(file).num_rows
    return rows


def _plain(arrow_type: str) -> str:
    """The Arrow type without the writer's choice of offset width and list item name."""
    for writers_choice in ("large_", "item: ", "element: ", " not null"):
        arrow_type = arrow_type.replace(writers_choice, "")
    return arrow_type.replace("string_view", "string")
