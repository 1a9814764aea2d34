"""Keeps MLflow up to date, where it is set: a run after its report, aliases after a rollback."""

from collections.abc import Callable
from typing import Any

from flows.alerts import Alert
from flows.settings import MLFLOW, tracker
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.store.artifacts import Report
from tasks.store.store import Store


def track_run(run_id: str, report: Report, store: Store) -> None:
    """Export a published run."""

    def export(client: Any) -> None:  # noqa: ANN401
        from tasks.export.mlflow_runs import export_run

        export_run(client, run_id, report, store)

    _with_tracker(export, f"run {run_id}")


def track_champions(store: Store) -> None:
    """Move the aliases to the champions as they are."""

    def move(client: Any) -> None:  # noqa: ANN401
        from tasks.export.mlflow_runs import move_aliases

        with open_readonly(metrics_path(store)) as db:
            move_aliases(client, db)

    _with_tracker(move, "a rollback")


def _with_tracker(update: Callable[[Any], None], what: str) -> None:
    """Nothing without a tracker. One that fails is an alert: the run is published, and whole."""
    if (uri := tracker()) is None:
        return
    from tasks.export.mlflow_runs import connect

    try:
        update(connect(uri))
    except Exception as error:  # its text may contain the address, and that a password
        summary = f"MLflow at {MLFLOW} did not take {what}: {type(error).__name__}"
        Alert(summary, what, "the same run again, which exports what is published").send()
