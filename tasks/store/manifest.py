"""Makes a draft ready to be renamed: verifies its tables, hashes its files, writes the manifest."""

import fnmatch
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.store.artifacts import Artifact, Table
from tasks.store.checksum import dump_json, hash_file, parse_json

# What a clock or a renderer wrote differs between two equal builds. The manifest, which is the
# same for the same inputs, does not list it.
NON_DETERMINISTIC = ("manifest.json", "cost.json", "measured-*", "measured-*/*")


class StoreError(Exception):
    """A draft breaks what its kind promises, or an artifact is not there."""


def verify_tables(kind: type[Artifact], draft: Path) -> dict[str, int]:
    """Rows by table.

    Raises StoreError where a table has no file, or a file other columns or types than promised.
    """
    return {name: _verify_table(kind, table, draft) for name, table in kind.tables.items()}


def write_manifest(draft: Path, manifest: dict[str, Any], cost: dict[str, float]) -> None:
    """Write the cost, then the manifest with the size and the SHA-256 of every listed file."""
    listed = [
        path
        for path in sorted(draft.rglob("*"))
        if path.is_file() and not _is_non_deterministic(path.relative_to(draft))
    ]
    files = {
        str(path.relative_to(draft)): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in listed
    }
    size = sum(path.stat().st_size for path in listed)
    totals = {"bytes": size, "rows": sum(manifest["rows"].values())}
    (draft / "cost.json").write_text(json.dumps(cost | totals, indent=1))
    (draft / "manifest.json").write_text(dump_json(manifest | {"files": files}))


def find_corruption(folder: Path, hash_of: Callable[[Path], str] = hash_file) -> str | None:
    """What is wrong with a finished folder, or None; `hash_of` may know a file from before."""
    try:
        files = parse_json((folder / "manifest.json").read_bytes())["files"]
        json.loads((folder / "cost.json").read_text())
    except (OSError, ValueError, KeyError) as error:
        return f"its manifest or cost cannot be read: {error}"
    for name, expected in files.items():
        try:
            if hash_of(folder / name) != expected["sha256"]:
                return f"{name} has changed"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def _is_non_deterministic(name: Path) -> bool:
    return any(fnmatch.fnmatch(str(name), pattern) for pattern in NON_DETERMINISTIC)


def _verify_table(kind: type[Artifact], table: Table, draft: Path) -> int:
    files = sorted(draft.glob(table.files))
    if not files:
        raise StoreError(f"{kind.kind()} promises {table.files}, and its stage wrote none")
    promised = {name: arrow_type for name, (arrow_type, _) in table.columns.items()}
    rows = 0
    for file in files:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        found = {field.name: _normalize_type(str(field.type)) for field in schema}
        if found != promised:
            wrong = sorted(set(found.items()) ^ set(promised.items()))
            raise StoreError(f"{kind.kind()} {file.name} breaks its promised columns in {wrong}")
        rows += metadata.num_rows
    return rows


def _normalize_type(arrow_type: str) -> str:
    """The Arrow type without the writer's choice of offset width and list item name."""
    for choice in ("large_", "item: ", "element: ", " not null"):
        arrow_type = arrow_type.replace(choice, "")
    return arrow_type.replace("string_view", "string")
