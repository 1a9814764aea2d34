"""The metrics database: opened read-only, or for one atomic update.

A publish edits a copy and atomically renames it over the file; open readers keep the old version.
With a remote, the file is replaced there by compare-and-swap, and each machine has a copy.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from tasks import published_files
from tasks.duckdb_paths import quote
from tasks.metrics_file import copy_database, install
from tasks.published_files import has_earlier_rows, root_of, show_files, write_empty_files
from tasks.store.file_lock import file_lock
from tasks.store.garbage import ArtifactId
from tasks.store.remote.shared_file import SharedFile

SQL = Path(__file__).resolve().parents[1] / "sql" / "warehouse"
REPORTS = SQL.parent / "reports"
VIEWS = """
select view_name from duckdb_views() where not internal and not temporary order by view_name"""
LONGEST_UPDATE = 600.0  # seconds; a publish takes a few


@contextmanager
def open_readonly(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection that reads no other file, but can spill to disk beside this one.

    The files of published runs are views, of those that are there. Raises FileNotFoundError where
    nothing was published yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"no metrics at {path}: run `make nightly` first")
    with duckdb.connect(str(path), read_only=True, config={"enable_external_access": False}) as db:
        show_files(db, root_of(path))
        yield db


@contextmanager
def atomic_update(
    path: Path, shared: SharedFile | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a copy that replaces the file when the block ends without an error.

    The copy has the newest tables and views, whatever version the file had; it is new where there
    is no file. Writers of this machine wait for each other.

    Raises ConflictError where another machine has replaced the file meanwhile (start again),
    StoreBusyError where another process updates it for ten minutes, StoreError where the file is
    damaged, RemoteError where the remote's is.
    """
    draft = path.with_name(f".draft-{path.name}")
    with _lock(path):
        version = shared.pull() if shared else None
        copy_database(path, draft)
        with duckdb.connect(str(draft)) as db:
            db.execute("set timezone = 'UTC'")
            _migrate(db)
            yield db
            db.execute("checkpoint")
        if shared:
            shared.push(draft, version)
        else:
            install(draft, path)


def pull_metrics(shared: SharedFile) -> None:
    """Make this machine's copy as new as the remote's file."""
    if not shared.is_current():
        with _lock(shared.path):
            shared.pull()


def _lock(path: Path) -> AbstractContextManager[None]:
    name = path.with_name(f".lock-{path.name}")
    return file_lock(name, "an update of the metrics", timeout=LONGEST_UPDATE)


def _migrate(db: duckdb.DuckDBPyConnection) -> None:
    """Apply the migrations that the file lacks, each once, and define the views anew."""
    tables = {row[0] for row in db.execute("select table_name from duckdb_tables()").fetchall()}
    if "migrations" not in tables:
        db.execute("create table migrations (name varchar primary key, taken_at timestamptz)")
        if "runs" in tables:  # written before there was a table of migrations
            db.execute("insert into migrations values ('001_tables', now())")
    done = {row[0] for row in db.execute("select name from migrations").fetchall()}
    for file in sorted(SQL.glob("migrations/*.sql")):
        if file.stem not in done:
            db.execute(file.read_text())
            db.execute("insert into migrations values (?, now())", [file.stem])
    _define_views(db)
    db.execute("begin")  # 280 comments take 1.2 s one by one, 0.1 s in one transaction
    for file in sorted(SQL.glob("comments/*.sql")):
        db.execute(file.read_text())
    db.execute("commit")


def _define_views(db: duckdb.DuckDBPyConnection) -> None:
    """Define the views anew; those of files are bound to files without rows.

    These lie in a folder whose name has no character with a meaning, as the store's may have.
    """
    with TemporaryDirectory() as folder:
        write_empty_files(Path(folder))
        db.execute(f"set file_search_path = {quote(folder)}")
        for file in sorted(SQL.glob("views/*.sql")):
            db.execute(file.read_text())
        db.execute("reset file_search_path")


def is_current(path: Path) -> bool:
    """Whether the database has all migrations, and so the tables and views of this version."""
    known = {file.stem for file in SQL.glob("migrations/*.sql")}
    with open_readonly(path) as db:
        tables = {row[0] for row in db.execute("select table_name from duckdb_tables()").fetchall()}
        if "migrations" not in tables:
            return False
        done = {row[0] for row in db.execute("select name from migrations").fetchall()}
    return known <= done


def find_champion(path: Path) -> str:
    """The fingerprint of the champion of the data set and split that serve.

    Raises FileNotFoundError where there is none.
    """
    with open_readonly(path) as db:
        found = db.execute("select adapter from champion where serves").fetchone()
    if found is None:
        raise FileNotFoundError(f"no champion in {path}: run `make nightly` first")
    return str(found[0])


def champion_dataset(path: Path) -> str:
    """The data set of the same champion."""
    with open_readonly(path) as db:
        query = "select dataset from champion where adapter = ? limit 1"
        return str(db.execute(query, [find_champion(path)]).fetchall()[0][0])


def newest_split(path: Path, dataset: str) -> tuple[str, datetime]:
    """The fingerprint of the split of a data set's newest ratings, and when it was published.

    Runs of past days count as older than runs of all ratings. Raises FileNotFoundError where no run
    was published.
    """
    with open_readonly(path) as db:
        found = db.execute(
            "select fingerprint, run_at from stages join runs using (run_id) "
            "where kind = 'split-ratings' and dataset = ? "
            "order by coalesce(as_of, date '9999-12-31') desc, run_at desc limit 1",
            [dataset],
        ).fetchone()
    if found is None:
        raise FileNotFoundError(f"no run of {dataset} in {path}: run `make nightly` first")
    return str(found[0]), found[1]


def gc_roots(path: Path, runs: int) -> set[ArtifactId]:
    """What the newest runs and the champions need."""
    with open_readonly(path) as db:
        db.execute("set variable runs = ?", [runs])
        return set(db.execute((SQL / "gc_roots.sql").read_text()).fetchall())


def delete_earlier_rows(path: Path, shared: SharedFile | None, runs: int) -> None:
    """Delete what runs that gc does not keep have in tables of before they had files.

    Raises as `atomic_update` does.
    """
    with open_readonly(path) as db:
        needed = has_earlier_rows(db)
    if needed:
        with atomic_update(path, shared) as db:
            db.execute("set variable runs = ?", [runs])
            kept = db.execute((SQL / "kept_runs.sql").read_text()).fetchall()
            published_files.delete_earlier_rows(db, [run for (run,) in kept])


def read_leaderboard(path: Path, run_id: str) -> list[tuple[Any, ...]]:
    """(predictor, metric, k, value, ci95_low, ci95_high) of one run, by metric, k and value.

    The view `headline` says which films are hits. `ci95_low` and `ci95_high` are None where a
    metric has no interval.
    """
    with open_readonly(path) as db:
        return db.execute(
            "select predictor, metric, k, value, ci95_low, ci95_high from headline "
            "where run_id = ? order by metric, k nulls first, value",
            [run_id],
        ).fetchall()


def last_costs(path: Path, profile: str) -> list[tuple[str, float]]:
    """Kind and seconds of each artifact of the newest run of a profile; none before the first."""
    if not path.exists():
        return []
    with open_readonly(path) as db:
        return db.execute(
            "select kind, seconds from stages where run_id = "
            "(select arg_max(run_id, run_at) from runs where profile = ?) order by stage",
            [profile],
        ).fetchall()


def list_reports() -> dict[str, str]:
    """The question that each file of sql/reports answers, by the file's name."""
    found = {}
    for file in sorted(REPORTS.glob("*.sql")):
        first = file.read_text().splitlines()[0]
        found[file.stem] = first.removeprefix(f"-- {file.stem}: ")
    return found


def run_report(
    db: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> duckdb.DuckDBPyConnection:
    """Run a file of sql/reports with these variables set; its rows are to be fetched.

    Raises KeyError where there is no such report or no such parameter.
    """
    known = list_reports()
    if name not in known:
        raise KeyError(f'no report "{name}": there are {", ".join(known)}')
    text = (REPORTS / f"{name}.sql").read_text()
    for parameter, value in parameters.items():
        if f"getvariable('{parameter}')" not in text:
            raise KeyError(f'report "{name}" has no parameter "{parameter}": {known[name]}')
        db.execute(f'set variable "{parameter}" = ?', [value])
    return db.execute(text)
