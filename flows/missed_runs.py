"""Cancels missed scheduled runs after downtime, all but the newest."""

from datetime import UTC, datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterCreatedBy,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run
from prefect.states import Cancelled

SCHEDULER = "SCHEDULE"  # `created_by` of a run that a schedule made; other runs are a person's


def newer_run_reason() -> str | None:
    """Why this flow run has nothing to do, where a newer scheduled run is due; else None.

    Other older runs that wait for a worker are cancelled with the same message, so that they
    need no process of their own. Only scheduled runs count: one that a person started, or
    retried, is never cancelled and cancels none.
    """
    with get_client(sync_client=True) as client:
        current = client.read_flow_run(flow_run.id)
        if not is_scheduled(current) or current.run_count > 1:
            return None
        due = [current, *other_due_runs(current, client)]
        newest = max(map(scheduled_at, due))
        reason = f"a newer run is due: {newest:%Y-%m-%d %H:%M} UTC"
        for run in due:
            if scheduled_at(run) < newest and is_waiting(run):
                client.set_flow_run_state(run.id, Cancelled(message=reason))
    return reason if scheduled_at(current) < newest else None


def is_scheduled(run: FlowRun) -> bool:
    """Whether a schedule of its deployment made it."""
    return run.created_by is not None and run.created_by.type == SCHEDULER


def is_waiting(run: FlowRun) -> bool:
    """Whether no worker has started it yet."""
    return run.state is not None and run.state.is_scheduled() and run.run_count == 0


def scheduled_at(run: FlowRun) -> datetime:
    """When it was to start at first, whatever has delayed it since."""
    assert run.expected_start_time is not None  # each state sets it
    return run.expected_start_time.astimezone(UTC)


def other_due_runs(current: FlowRun, client: SyncPrefectClient) -> list[FlowRun]:
    """The newest 200 scheduled runs of the same deployment that are due and not cancelled."""
    now = max(scheduled_at(current), datetime.now(UTC))  # the server's clock may be ahead
    cancelled = [StateType.CANCELLED, StateType.CANCELLING]
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[current.deployment_id]),
            created_by=FlowRunFilterCreatedBy(type_=[SCHEDULER]),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
            state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=cancelled)),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
    )
