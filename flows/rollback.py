"""Makes an earlier champion champion again."""

from prefect import flow
from prefect.runtime import flow_run

from flows.alerts import on_run_failure
from flows.events import emit
from flows.retries import resilient
from flows.run_start import begin_run
from flows.settings import open_store
from flows.tracking import track_champions
from tasks.publish.task import roll_back


@flow(
    name="rollback",
    flow_run_name="rollback-{to}",
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def rollback(to: str = "the one before") -> str:
    """Make an earlier champion champion again, by the beginning of its fingerprint.

    Returns its whole fingerprint. Raises LookupError where none, or more than one, begins so.

    Args:
        to: Beginning of the adapter's fingerprint: `make reports name=champions` lists them.
    """
    begin_run()
    wanted = "" if to == "the one before" else to
    adapter = resilient(roll_back, "roll back")(to=wanted, store=(store := open_store()))
    track_champions(store)
    emit("promoted", "adapter", adapter, {"reason": "a rollback"}, occasion=str(flow_run.id))
    return adapter
