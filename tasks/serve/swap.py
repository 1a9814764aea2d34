"""Swaps lists in at once: one symbolic link says which folder is served, and it is renamed over.

artifacts/serving/current is that link; artifacts/recommendations.duckdb leads through it. A reader
that has opened a file keeps it, and the folder before stays for those about to open one.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from tasks.metrics_file import READERS
from tasks.serve.config import Serving
from tasks.serve.key_value import load_key_value_sink
from tasks.serve.record import Serve
from tasks.serve.sinks import (
    DATABASE,
    FILES,
    iter_pairs,
    write_database,
)
from tasks.store.artifacts import ServedLists
from tasks.store.checksum import dump_json, hash_file, parse_json
from tasks.store.durable import durable_rename

CURRENT = "current"


def serving_folder(root: Path) -> Path:
    """Where the lists of a store are served from."""
    return root / "artifacts" / "serving"


def read_served(root: Path) -> dict[str, Any] | None:
    """The manifest of what is served; None before the first time."""
    file = serving_folder(root) / CURRENT / "manifest.json"
    return parse_json(file.read_bytes()) if file.exists() else None


def read_last_lists(root: Path) -> pl.DataFrame | None:
    """user_id, rank and film_id of what is served; None before the first time."""
    file = serving_folder(root) / CURRENT / DATABASE
    if not file.exists():
        return None
    with duckdb.connect(str(file), read_only=True, config=READERS) as db:
        return db.sql("select user_id, rank, film_id from recommendations").pl()


def served_list(root: Path, user: int) -> pl.DataFrame:
    """The list that a user is served, by rank; empty where none is."""
    file = serving_folder(root) / CURRENT / DATABASE
    with duckdb.connect(str(file), read_only=True, config=READERS) as db:
        query = "select * from recommendations where user_id = ? order by rank"
        return db.sql(query, params=[user]).pl()


def swap_in(root: Path, served: ServedLists, serve: Serve, config: Serving) -> None:
    """Write the lists with `valid_from`, champion and data on each row, and serve them."""
    table = served.scan("recommendations").collect()
    table = table.with_columns(
        valid_from=pl.lit(serve.served_at).cast(pl.Datetime("us", "UTC")),
        champion=pl.lit(serve.champion),
        data=pl.lit(serve.data),
    )
    manifest = serve.to_json()
    if config.key_value:
        load_key_value_sink(config.key_value)(iter_pairs(table), manifest)
    folder = serving_folder(root)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{serve.served_at:%Y%m%dT%H%M%S%f}-{served.fingerprint}"
    draft = folder / f".draft-{name}"
    _write(draft, table, manifest, config.sinks)
    durable_rename(draft, folder / name)
    before = _target(folder)
    _link(folder / CURRENT, name)
    _link(root / "artifacts" / DATABASE, f"{folder.name}/{CURRENT}/{DATABASE}")
    _delete_others(folder, {name, before})


def _write(
    draft: Path, table: pl.DataFrame, manifest: dict[str, Any], sinks: Sequence[str]
) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    write_database(table, draft)
    for sink in sinks:
        FILES[sink](table, draft)
    files = {file.name: {"sha256": hash_file(file)} for file in sorted(draft.iterdir())}
    (draft / "manifest.json").write_text(dump_json(manifest | {"files": files}))


def _target(folder: Path) -> str | None:
    link = folder / CURRENT
    return os.readlink(link) if link.is_symlink() else None


def _link(link: Path, target: str) -> None:
    """Make a symbolic link, or rename a new one over it: readers find the one or the other."""
    draft = link.with_name(f".draft-{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    durable_rename(draft, link)


def _delete_others(folder: Path, kept: set[str | None]) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name not in kept:
            shutil.rmtree(path)
