"""Alerts the webhook of runs that failed or crashed, and of those whose process is gone.

A run whose machine or process died reports nothing, and would count as running for ever: no other
run would get the store's queue. Its heartbeats end, and the server then sets it to Crashed.
"""

from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState

from flows.alerts import FAILED_RUNS, Alert
from flows.automations import ENDED, RunTrigger, call, escaped
from flows.late_runs import SOURCE

HEARTBEAT = "heartbeat"
STATE = "flow_run.state.type.value | lower"


def failure_trigger(block: UUID) -> RunTrigger:
    """Of each run of a deployment that failed, timed out or crashed."""
    message = escaped("flow_run.state.message or 'it left no message'")
    summary = f"{escaped('flow.name')} {{{{ {STATE} }}}}: {message}"
    alert = Alert(summary, SOURCE, "prefect flow-run logs {{ flow_run.id }}")
    return RunTrigger(FAILED_RUNS, call(block, alert), frozenset({"Failed", "TimedOut", "Crashed"}))


def lost_triggers(lost_after: float = 7, begin_within: float = 10) -> list[RunTrigger]:
    """Crash runs without a heartbeat for so many minutes, or claimed and not begun in so many.

    By a worker that claims a run it is Pending, which ends when its process begins.
    """
    silent = f"no heartbeat for {lost_after:g} minutes: its process or machine is gone"
    pending = f"a worker claimed it {begin_within:g} minutes ago, and it has not begun"
    begun = ENDED | {"Running", "Scheduled", "AwaitingRetry", "Cancelling", "Paused"}
    return [
        RunTrigger(
            "a run is lost",
            ChangeFlowRunState(state=StateType.CRASHED, message=silent),
            ENDED | {HEARTBEAT},
            frozenset({HEARTBEAT}),
            timedelta(minutes=lost_after),
            deployed=False,
        ),
        RunTrigger(
            "a run does not begin",
            ChangeFlowRunState(state=StateType.CRASHED, message=pending),
            begun,
            frozenset({"Pending"}),
            timedelta(minutes=begin_within),
        ),
    ]
