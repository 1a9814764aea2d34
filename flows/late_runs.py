"""Alerts the webhook when the nightly run starts late, when any run waits long or does not end."""

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import get_client

from flows.alerts import Alert
from flows.automations import ENDED, RunTrigger, call, escaped

DEPLOYMENT = "nightly/nightly"
STARTED = ENDED | {"Running"}  # a cancelled run is never Running
# The server fills in what is in braces.
RUN = "the run of {{ flow_run.expected_start_time.strftime('%Y-%m-%d %H:%M') }} UTC"
SOURCE = (
    f"flow run {escaped('flow_run.name')} "
    f"of deployment {escaped('flow.name')}/{escaped('deployment.name')}"
)


def late_triggers(block: UUID, start_within: float = 15, end_within: float = 6) -> list[RunTrigger]:
    """A late start of `nightly`, in minutes; a long wait or a long run of any, in hours.

    A run that has to wait for another one that holds the store is Late as well. Raises
    ObjectNotFound where the server does not know the deployment `nightly`.
    """
    minutes, hours = timedelta(minutes=start_within), timedelta(hours=end_within)
    with get_client(sync_client=True) as client:
        nightly = client.read_deployment_by_name(DEPLOYMENT).id
    inspect = "prefect flow-run inspect {{ flow_run.id }}"
    late = Alert(
        f"{RUN} is late, and has not started within {start_within:g} minutes", SOURCE, inspect
    )
    waits = Alert(f"{RUN} has waited for {end_within:g} hours", SOURCE, inspect)
    long = Alert(
        f"{RUN} has not ended within {end_within:g} hours",
        SOURCE,
        "prefect flow-run logs {{ flow_run.id }}",
    )
    return [
        RunTrigger(
            "a run is late", call(block, late), STARTED, frozenset({"Late"}), minutes, nightly
        ),
        RunTrigger("a run waits too long", call(block, waits), STARTED, frozenset({"Late"}), hours),
        RunTrigger("a run takes too long", call(block, long), ENDED, frozenset({"Running"}), hours),
    ]
