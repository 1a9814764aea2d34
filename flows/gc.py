"""Frees disk space: deletes the artifacts that no kept run depends on."""

from collections import defaultdict
from contextlib import suppress
from typing import Annotated

import pydantic
from prefect import State, flow
from prefect.artifacts import create_table_artifact
from prefect.states import Cancelled

from flows.alerts import on_run_failure
from flows.attempt import attempt
from flows.missed_runs import newer_run_reason
from flows.run_start import begin_run
from flows.settings import open_store
from tasks.metrics_db import delete_earlier_rows, gc_roots
from tasks.metrics_location import metrics_location, migrated_metrics
from tasks.store.garbage import delete, find_unreachable
from tasks.store.remote.errors import ConflictError
from tasks.store.store import Store

SPARED_DAYS = 7  # a failed run's work, or another machine's, may be continued for that long


@flow(
    name="gc",
    flow_run_name="gc-keep-{runs}-runs",
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def gc(
    runs: Annotated[int, pydantic.Field(ge=0)] = 7, apply: bool = False
) -> list[dict[str, str]] | State:
    """Delete what neither champions nor the newest `runs` depend on; return the sizes by kind.

    Only what is a week old is deleted: a run that failed, or another machine's, may not be done.
    Where a newer scheduled run is due, or during a run, this one is cancelled. Raises
    FileNotFoundError where none was published.

    Args:
        runs: How many of the newest runs stay; the champions' stay anyway.
        apply: Delete; else only the sizes are shown.
    """
    if reason := newer_run_reason():
        return Cancelled(message=reason)
    begin_run()
    return attempt(lambda: show_garbage(runs, apply=apply))


def show_garbage(runs: int, *, apply: bool) -> list[dict[str, str]]:
    """Collect it, and show what was found in Prefect's UI."""
    rows = collect_garbage(runs, apply=apply, store=open_store())
    description = "deleted" if apply else "would be deleted"
    create_table_artifact(key="gc", table=rows, description=description)
    return rows


def collect_garbage(runs: int, *, apply: bool, store: Store) -> list[dict[str, str]]:
    """The same without Prefect. Raises StoreBusyError during a run."""
    path = migrated_metrics(store)
    with store.exclusive_lock("gc", wait=False):
        found = find_unreachable(store, gc_roots(path, runs), spared_days=SPARED_DAYS)
        if apply:
            delete(found)
            with suppress(ConflictError):  # another machine has just published: the next gc does it
                delete_earlier_rows(*metrics_location(store), runs)
    sizes = defaultdict(list)
    for leftover in found:
        where = " in the remote" if leftover.remote else ""
        sizes[leftover.kind + where].append(leftover.bytes)
    return [
        {"kind": kind, "folders": str(len(each)), "megabytes": f"{sum(each) / 1e6:.1f}"}
        for kind, each in sorted(sizes.items())
    ]
