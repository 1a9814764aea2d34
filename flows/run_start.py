"""Begins a flow run: its stages' lines reach Prefect's log, and its tags say what it is of."""

import atexit
import logging
import os
import sys
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

ENGINE = "PREFECT__FLOW_RUN_ID"  # in the environment of a process that a worker has started
OWN = ("tasks", "flows")  # the loggers of pyproject.toml's `extra_loggers`


def begin_run(profile: str | None = None, data: str | None = None) -> None:
    """Show the log of flows and tasks from INFO on, and tag the run.

    `data` is the name of a data source, or a path, of which the last part is shown.
    """
    show_own_lines()
    if ENGINE in os.environ:
        atexit.register(_close_stderr)
    context = FlowRunContext.get()
    assert context is not None  # only flows begin runs
    run = context.flow_run
    assert isinstance(run, FlowRun)
    tags = {f"trigger:{find_trigger(run)}"}
    tags |= {f"profile:{profile}"} if profile else set()
    tags |= {f"data:{Path(data).name}"} if data else set()
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags=sorted({*run.tags, *tags}))


def show_own_lines() -> None:
    """Give the loggers of flows and tasks a level.

    Prefect hands them its handler and none, so that only warnings would pass.
    """
    for name in OWN:
        logging.getLogger(name).setLevel(logging.INFO)


def _close_stderr() -> None:
    """As the last of all in a worker's process: DuckDB's bindings would list 120 lines of leaks.

    Its types outlive the interpreter where Prefect's frames hold them. All that the run logs is
    written by then, and its exit status stays.
    """
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def find_trigger(run: FlowRun) -> str:
    """What started it: `schedule`, `automation`, `person` or, without a deployment, `command`."""
    if run.created_by is not None and run.created_by.type:
        return run.created_by.type.lower()
    return "person" if run.deployment_id else "command"


def scheduled_day() -> str:
    """The day (UTC) for which the run was scheduled, however late it starts."""
    return f"{flow_run.scheduled_start_time:%Y-%m-%d}"
