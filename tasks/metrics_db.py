"""The metric file: the only place that opens it. Readers open it read-only; a publish replaces it.

Who reads holds the file that was there, whole, and a publish puts another in its place in one
step: so nobody waits for anybody, and nobody ever sees half a run. With a remote it is there that
machines take turns; each has a copy.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tasks.store.remote.shared_file import Shared

SQL = Path(__file__).resolve().parents[1] / "sql" / "warehouse"
REPORTS = SQL.parent / "reports"


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The metric file, read-only. Raises FileNotFoundError where nothing was published yet."""
    if not path.exists():
        raise FileNotFoundError(f"no metrics at {path}: run `make nightly` first")
    with duckdb.connect(str(path), read_only=True) as db:
        yield db


@contextmanager
def replacing(path: Path, shared: Shared | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the metric file, or a new one, that takes its place when the block ends well.

    The copy has the newest tables and views, whatever version the file had. One writer at a time:
    a second waits here. Where the block raises, the file stays as it was.

    Raises OvertakenError where another machine has replaced it meanwhile: begin again.
    """
    draft = path.with_name(f".draft-{path.name}")
    with _alone(path):
        seen = shared.refresh() if shared else None
        draft.unlink(missing_ok=True)
        draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)
        if path.exists():
            shutil.copyfile(path, draft)
        with duckdb.connect(str(draft)) as db:
            db.execute("set timezone = 'UTC'")
            _migrate(db)
            yield db
            db.execute("checkpoint")
        draft.chmod(0o600)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        if shared:
            shared.replace(draft, seen)
        else:
            os.replace(draft, path)


def refresh(shared: Shared) -> None:
    """Make this machine's copy as new as the remote's."""
    if not shared.is_newest():
        with _alone(shared.path):
            shared.refresh()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process of this machine at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".lock-{path.name}"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(db: duckdb.DuckDBPyConnection) -> None:
    """Bring tables and views to the newest version; a step that was taken is not taken again."""
    tables = {row[0] for row in db.execute("select table_name from duckdb_tables()").fetchall()}
    if "migrations" not in tables:
        db.execute("create table migrations (name varchar primary key, taken_at timestamptz)")
        if "runs" in tables:  # written before versions were noted
            db.execute("insert into migrations values ('001_tables', now())")
    done = {row[0] for row in db.execute("select name from migrations").fetchall()}
    for file in sorted(SQL.glob("migrations/*.sql")):
        if file.stem not in done:
            db.execute(file.read_text())
            db.execute("insert into migrations values (?, now())", [file.stem])
    for file in sorted(SQL.glob("views/*.sql")):
        db.execute(file.read_text())
    db.execute("begin")  # 280 comments take 1.2 s one by one, 0.1 s in one transaction
    for file in sorted(SQL.glob("comments/*.sql")):
        db.execute(file.read_text())
    db.execute("commit")


def is_published(path: Path, run_id: str) -> bool:
    """Whether the metric file has a run."""
    if not path.exists():
        return False
    with reading(path) as db:
        return bool(db.execute("select 1 from runs where run_id = ?", [run_id]).fetchall())


def champion(path: Path) -> str:
    """The fingerprint of the adapter that became champion last.

    Raises FileNotFoundError where there is none.
    """
    with reading(path) as db:
        found = db.execute("select adapter from champion limit 1").fetchone()
    if found is None:
        raise FileNotFoundError(f"no champion in {path}: run `make nightly` first")
    return str(found[0])


def rival(path: Path, dataset: str, protocol: str, challenger: str) -> str | None:
    """The fingerprint of the adapter that a challenger competes with; None where there is none.

    The champion, or the one it has competed with already: so a night that is run again is scored
    again as it was.
    """
    if not path.exists():
        return None
    with reading(path) as db:
        found = (
            db.execute(
                "select champion from champions where adapter = ? order by decided_at limit 1",
                [challenger],
            ).fetchone()
            or db.execute(
                "select adapter from champion where dataset = ? and protocol = ?",
                [dataset, protocol],
            ).fetchone()
        )
    return None if found is None else found[0]


def needed(path: Path, nights: int) -> set[tuple[str, str]]:
    """Kind and fingerprint of what the newest nights and the champions cannot do without."""
    with reading(path) as db:
        db.execute("set variable nights = ?", [nights])
        return set(db.execute((SQL / "needed.sql").read_text()).fetchall())


def leaderboard(path: Path, run_id: str) -> list[tuple[Any, ...]]:
    """(predictor, metric, k, value, low, high) of one run, by metric, k and value.

    `low` and `high` are None where a metric has no interval.
    """
    with reading(path) as db:
        return db.execute(
            "select predictor, metric, k, value, low, high from leaderboard "
            "where run_id = ? order by metric, k nulls first, value",
            [run_id],
        ).fetchall()


def reports() -> dict[str, str]:
    """What can be asked by name: the question that each file of sql/reports answers."""
    found = {}
    for file in sorted(REPORTS.glob("*.sql")):
        first = file.read_text().splitlines()[0]
        found[file.stem] = first.removeprefix(f"-- {file.stem}: ")
    return found


def report(
    db: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> duckdb.DuckDBPyConnection:
    """Run a file of sql/reports with these variables set; what it answers is to be fetched.

    Raises KeyError where there is no such report or no such parameter.
    """
    known = reports()
    if name not in known:
        raise KeyError(f'no report "{name}": there are {", ".join(known)}')
    text = (REPORTS / f"{name}.sql").read_text()
    for parameter, value in parameters.items():
        if f"getvariable('{parameter}')" not in text:
            raise KeyError(f'report "{name}" has no parameter "{parameter}": {known[name]}')
        db.execute(f"set variable {parameter} = ?", [value])
    return db.execute(text)
