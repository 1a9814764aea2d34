"""Measures how long readers of the metrics database wait while runs are published.

    python -m bench.readers --json readers.json        on the metrics database below --root

Eight processes query the leaderboard in a loop, each time over a new connection, while copies of
the newest run are published one after the other. A wait is the time from opening the file to the
answer.
"""

import argparse
import json
import shutil
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tasks.metrics_db import atomic_update, open_readonly

ROOT = Path(__file__).resolve().parent.parent
READERS, PUBLISHES = 8, 20


def read(path: Path, stop: Any) -> tuple[list[float], set[int]]:  # noqa: ANN401
    """Seconds of each wait, and the numbers of metrics that runs were seen with."""
    waits, sizes = [], set()
    while not stop.is_set():
        began = time.monotonic()
        with open_readonly(path) as db:
            db.execute("select * from latest").fetchall()
            found = db.execute(
                "select count(*) from overall_metrics right join runs using (run_id) "
                "group by run_id"
            ).fetchall()
        waits.append(time.monotonic() - began)
        sizes |= {n for (n,) in found}
    return waits, sizes


def publish_again(path: Path, number: int) -> None:
    """Publish the newest run once more, under another id."""
    with atomic_update(path) as db:
        (run_id,) = db.execute("select arg_max(run_id, run_at) from runs").fetchall()[0]
        tables = db.execute(
            "select table_name from duckdb_columns() where column_name = 'run_id' "
            "and table_name in (select table_name from duckdb_tables())"
        ).fetchall()
        for (table,) in tables:
            at = ", now() as run_at" if table == "runs" else ""
            db.execute(
                f"insert into {table} select * replace (? as run_id{at}) from {table} "
                "where run_id = ?",
                [f"{run_id}-{number}", run_id],
            )


def measure(metrics: Path) -> dict[str, float]:
    """Waits of all readers together, and seconds per publish.

    Raises SystemExit where a reader saw an incomplete run.
    """
    with TemporaryDirectory() as folder, get_context("spawn").Manager() as manager:
        path, stop = Path(folder) / "metrics.duckdb", manager.Event()
        shutil.copyfile(metrics, path)
        with get_context("spawn").Pool(READERS) as pool:
            readers = [pool.apply_async(read, (path, stop)) for _ in range(READERS)]
            time.sleep(3)  # until all have started
            took = []
            for number in range(PUBLISHES):
                began = time.monotonic()
                publish_again(path, number)
                took.append(time.monotonic() - began)
            stop.set()
            results = [reader.get() for reader in readers]
    waits = [wait for some, _ in results for wait in some]
    sizes = set.union(*(seen for _, seen in results))
    if len(sizes) != 1:
        raise SystemExit(f"a reader saw an incomplete run: {sorted(sizes)} rows")
    return {
        "readers": READERS,
        "publishes": PUBLISHES,
        "reads": len(waits),
        "longest_wait": max(waits),
        "median_wait": median(waits),
        "median_publish": median(took),
    }


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--root", type=Path, default=ROOT, help="a project with a published run")
    options = parser.parse_args()
    figures = measure(options.root / "artifacts" / "metrics.duckdb")
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
