"""After downtime only the newest of the scheduled runs that were missed has work to do."""

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

SCHEDULER = "SCHEDULE"  # who made the run, as the server notes it; other runs are a person's


def superseded() -> str | None:
    """Why the flow run that asks has nothing to do, where a newer scheduled one is due as well.

    Those that wait beside it for a worker, and are not the newest, are cancelled with the same
    words: they need no process of their own. A run that a person started, or started again, is
    never superseded and supersedes none.
    """
    with get_client(sync_client=True) as client:
        asking = client.read_flow_run(flow_run.id)
        if not is_scheduled(asking) or asking.run_count > 1:
            return None
        due = [asking, *due_beside(asking, client)]
        newest = max(map(planned, due))
        why = f"a newer run is due: {newest:%Y-%m-%d %H:%M} UTC"
        for run in due:
            if planned(run) < newest and waits(run):
                client.set_flow_run_state(run.id, Cancelled(message=why))
    return why if planned(asking) < newest else None


def is_scheduled(run: FlowRun) -> bool:
    """Whether a schedule of its deployment made it."""
    return run.created_by is not None and run.created_by.type == SCHEDULER


def waits(run: FlowRun) -> bool:
    """Whether no worker has taken it yet, nor a person put it back."""
    return run.state is not None and run.state.is_scheduled() and run.run_count == 0


def planned(run: FlowRun) -> datetime:
    """When it was to start, whatever has put it off since."""
    assert run.expected_start_time is not None  # each state sets it
    return run.expected_start_time.astimezone(UTC)


def due_beside(asking: FlowRun, client: SyncPrefectClient) -> list[FlowRun]:
    """The newest 200 scheduled runs of the same deployment that are due and not cancelled."""
    now = max(planned(asking), datetime.now(UTC))  # the server's clock may be ahead
    cancelled = [StateType.CANCELLED, StateType.CANCELLING]
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[asking.deployment_id]),
            created_by=FlowRunFilterCreatedBy(type_=[SCHEDULER]),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
            state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=cancelled)),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
    )
