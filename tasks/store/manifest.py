"""What makes a folder finished: its tables as promised, each file hashed, the manifest last."""

import fnmatch
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.store.artifacts import Artifact, Table

# What a clock, a meter or a renderer wrote: it differs between two equal builds, so the
# manifest, which is the same for the same inputs, does not list it.
MEASURED = ("manifest.json", "cost.json", "measured-*", "measured-*/*")


class StoreError(Exception):
    """A draft does not hold what its kind promises, or an artifact is not there."""


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
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


def damage(folder: Path) -> str | None:
    """What is wrong with a finished folder, or None."""
    try:
        listed = json.loads((folder / "manifest.json").read_text())["files"]
        json.loads((folder / "cost.json").read_text())
    except (OSError, ValueError, KeyError) as error:
        return f"its manifest or cost cannot be read: {error}"
    for name, expected in listed.items():
        try:
            if file_hash(folder / name) != expected["sha256"]:
                return f"{name} has changed"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def seal(draft: Path, manifest: dict[str, Any], cost: dict[str, float]) -> None:
    """Write cost and manifest, the manifest last."""
    files = {
        str(path.relative_to(draft)): {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        for path in _sealed_files(draft)
    }
    cost["bytes"] = sum(path.stat().st_size for path in _sealed_files(draft))
    cost["rows"] = sum(manifest["rows"].values())
    (draft / "cost.json").write_text(json.dumps(cost, indent=1))
    manifest["files"] = files
    (draft / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))


def into_place(draft: Path, folder: Path) -> None:
    """Bring a sealed draft to the disk, then under its final name, in one step."""
    for path in (*draft.rglob("*"), draft):
        _to_disk(path)
    os.rename(draft, folder)
    _to_disk(folder.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checked_rows(kind: type[Artifact], draft: Path) -> dict[str, int]:
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
