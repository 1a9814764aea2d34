"""Disk in hand: shows what no kept night stands on, and takes it away where that is asked for.

python -m flows.gc [--nights 7] [--apply]
"""

import argparse
import sys
from collections import defaultdict

from prefect import State, flow
from prefect.artifacts import create_table_artifact
from prefect.states import Cancelled
from rich.console import Console
from rich.table import Table

from flows.console import quiet
from flows.downtime import superseded
from flows.settings import the_store
from tasks.metrics_db import gc_roots
from tasks.publish.task import metric_file
from tasks.store.garbage import delete, find_unreachable
from tasks.store.remote.errors import RemoteError
from tasks.store.store import Store, StoreBusyError

DRAFT_DAYS = 7  # a night that died, or is another machine's, may be gone on with that long


@flow(name="gc", flow_run_name="gc-keep-{nights}-nights")
def gc(nights: int = 7, apply: bool = False) -> list[dict[str, str]] | State:
    """Clear away what neither champions nor the newest `nights` stand on; return what, by kind.

    From the remote goes what has been there for a week: another machine's night may not be done.
    Without `apply` nothing is taken away. Where a newer scheduled run is due, this one is
    cancelled. Raises StoreBusyError where a night is running, and FileNotFoundError where none was
    published.
    """
    if why := superseded():
        return Cancelled(message=why)
    rows = swept(nights, apply=apply, store=the_store())
    create_table_artifact(key="gc", table=rows, description="gone" if apply else "would go")
    return rows


def swept(nights: int, *, apply: bool, store: Store) -> list[dict[str, str]]:
    """The same without Prefect."""
    path = metric_file(store)
    with store.exclusive_lock("gc", wait=False):
        found = find_unreachable(store, gc_roots(path, nights), draft_days=DRAFT_DAYS)
        if apply:
            delete(found)
    sizes = defaultdict(list)
    for garbage in found:
        where = " in the remote" if garbage.remote else ""
        sizes[garbage.kind + where].append(garbage.bytes)
    return [
        {"kind": kind, "folders": str(len(of)), "megabytes": f"{sum(of) / 1e6:.1f}"}
        for kind, of in sorted(sizes.items())
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Clear away what no kept night stands on.")
    parser.add_argument("--nights", type=int, default=7, help="newest nights to keep")
    parser.add_argument("--apply", action="store_true", help="take it away, not only show it")
    asked = parser.parse_args()
    quiet()
    try:
        rows = swept(asked.nights, apply=asked.apply, store=the_store())
    except (StoreBusyError, FileNotFoundError, RemoteError) as error:
        sys.exit(f"error: {error}")
    table = Table(box=None, pad_edge=False)
    for name in ("kind", "folders", "megabytes"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for row in rows:
        table.add_row(*row.values())
    console = Console()
    console.print(table if rows else "nothing: every folder is stood on")
    if rows:
        console.print("gone" if asked.apply else "would go: make gc apply=yes", highlight=False)


if __name__ == "__main__":
    main()
