"""The metric file: the only place that opens it. Readers open it read-only; a publish replaces it.

Who reads holds the file that was there, whole, and a publish puts another in its place in one
step: so nobody waits for anybody, and nobody ever sees half a run.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

SQL = Path(__file__).resolve().parents[1] / "sql" / "warehouse"


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The metric file, read-only. Raises FileNotFoundError where nothing was published yet."""
    if not path.exists():
        raise FileNotFoundError(f"no metrics at {path}: run `make nightly` first")
    with duckdb.connect(str(path), read_only=True) as db:
        yield db


@contextmanager
def replacing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the metric file, or a new one, that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".draft-{path.name}")
    with open(path.with_name(f".lock-{path.name}"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.unlink(missing_ok=True)
        draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)
        if path.exists():
            shutil.copyfile(path, draft)
        with duckdb.connect(str(draft)) as db:
            db.execute("set timezone = 'UTC'")
            if not path.exists():
                for file in sorted(SQL.glob("*.sql")):
                    db.execute(file.read_text())
            yield db
            db.execute("checkpoint")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(draft, path)


def leaderboard(path: Path, run_id: str) -> list[tuple[str, str, int | None, float, float, float]]:
    """(predictor, metric, k, value, low, high) of one run, by metric, k and value."""
    with reading(path) as db:
        return db.execute(
            "select predictor, metric, k, value, low, high from leaderboard "
            "where run_id = ? order by metric, k nulls first, value",
            [run_id],
        ).fetchall()
