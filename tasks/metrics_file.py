"""The file of the metrics database: copied, checked and replaced; the one before is kept."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

from tasks.duckdb_paths import quote
from tasks.published_files import root_of, write_empty_files
from tasks.store.durable import durable_rename
from tasks.store.manifest import StoreError

MIGRATIONS = Path(__file__).resolve().parents[1] / "sql" / "warehouse" / "migrations"
READERS: dict[str, Any] = {"enable_external_access": False}  # a database can name files to read
log = logging.getLogger(__name__)


def previous_of(path: Path) -> Path:
    """Where the database is kept that `path` had before: `metrics.previous.duckdb`."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def copy_database(path: Path, draft: Path) -> None:
    """Copy a database, if it is there, with what a killed shell had committed to its log.

    Raises StoreError where it is damaged.
    """
    draft.unlink(missing_ok=True)
    _log_of(draft).unlink(missing_ok=True)
    if not path.exists():
        return
    shutil.copyfile(path, draft)
    if _log_of(path).exists():
        shutil.copyfile(_log_of(path), _log_of(draft))
        try:
            duckdb.connect(str(draft)).close()
        except duckdb.IOException:  # of a file that was replaced since
            log.warning("%s is not of this %s: left out", _log_of(path), path.name)
            _log_of(draft).unlink()
            shutil.copyfile(path, draft)
    if reason := find_damage(draft):
        raise StoreError(
            f"{path} cannot be used ({reason}): move it away, and {previous_of(path)} into its "
            "place; with a remote, moving it away is enough"
        )
    if _is_mostly_free(draft):
        _pack(draft)


def _is_mostly_free(file: Path) -> bool:
    """Whether more blocks of a database are free than used: DuckDB never makes a file shorter."""
    with duckdb.connect(str(file), read_only=True, config=READERS) as db:
        query = "select used_blocks, free_blocks from pragma_database_size()"
        ((used, free),) = db.execute(query).fetchall()
    return free > max(used, 100)  # a block has 256 KiB


def _pack(file: Path) -> None:
    """Write the tables of a database anew, without free blocks and without its views."""
    packed = file.with_name(f"{file.name}.packed")
    packed.unlink(missing_ok=True)
    with duckdb.connect() as db:
        for path, name in ((file, "old"), (packed, "packed")):
            db.execute(f"attach {quote(path)} as {name}")
        query = "select table_name, sql from duckdb_tables() where database_name = 'old'"
        tables = db.execute(query).fetchall()
        db.execute("use packed")
        for table, definition in tables:
            db.execute(definition)
            db.execute(f'insert into "{table}" from old."{table}"')
    durable_rename(packed, file)


def find_damage(file: Path) -> str | None:
    """Why a database cannot be used, or None. Every block is read, so that its checksum counts."""
    try:
        with duckdb.connect(str(file), read_only=True, config=READERS) as db:
            tables = _column(db, "select table_name from duckdb_tables()")
            if "runs" not in tables:
                return "it has no table of runs"
            if "migrations" in tables:
                known = {migration.stem for migration in MIGRATIONS.glob("*.sql")}
                if newer := _column(db, "select name from migrations") - known:
                    return f"a newer version of the project wrote it: {max(newer)} is not known"
            for table in tables:
                db.table(f'"{table}"').aggregate("count(*), bit_xor(hash(columns(*)))").fetchall()
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None


def install(draft: Path, path: Path) -> None:
    """Rename a database over another, which is kept beside it until the next time.

    Raises StoreError where a run of the other would be lost.
    """
    if path.exists():
        _set_log_aside(path)
        if (runs := _runs(path)) is not None:
            if lost := runs - (_runs(draft) or set()):
                raise StoreError(
                    f"the new {path.name} lacks {len(lost)} runs that {path} has, such as "
                    f"{min(lost)}: nothing is replaced; move that file away if this is meant"
                )
            copy = path.with_name(f".previous-{path.name}")
            copy.unlink(missing_ok=True)
            try:
                os.link(path, copy)  # a large file is not copied once more
            except OSError:  # of a disk without links
                shutil.copyfile(path, copy)
            copy.chmod(0o600)
            durable_rename(copy, previous_of(path))
    draft.chmod(0o600)
    durable_rename(draft, path)
    write_empty_files(root_of(path))  # so that the views of files answer in any shell


def _set_log_aside(path: Path) -> None:
    """The log that a killed shell has left: beside another file no reader could open that."""
    if _log_of(path).exists():
        durable_rename(_log_of(path), path.with_name(f"{previous_of(path).name}.log"))


def _runs(path: Path) -> set[str] | None:
    """The ids of its runs; None where it cannot be read."""
    try:
        with duckdb.connect(str(path), read_only=True, config=READERS) as db:
            return _column(db, "select run_id from runs")
    except duckdb.Error as error:
        log.warning("%s cannot be read: %s", path, str(error).splitlines()[0])
        return None


def _column(db: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    return {row[0] for row in db.execute(query).fetchall()}


def _log_of(path: Path) -> Path:
    """DuckDB's write-ahead log: what was committed and is not in the file yet."""
    return path.with_name(f"{path.name}.wal")
