"""Emits an event of the server's for what an automation, or another flow, may act on.

Each has the same id whenever a run is repeated: the server keeps it once.
"""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from prefect.context import FlowRunContext
from prefect.events import emit_event

from tasks.metrics_location import metrics_path
from tasks.publish.decision import read_decision
from tasks.serve.record import Serve
from tasks.store.artifacts import SplitRatings
from tasks.store.store import Store

NAME = "content-advisor"


def emit_decision(run_id: str, store: Store) -> None:
    """`promoted` or `rejected`, of the run's adapter; and `drift` where the data are why."""
    if (decision := read_decision(metrics_path(store), run_id)) is None:
        return
    verdict = "promoted" if decision.promoted else "rejected"
    about: dict[str, Any] = {
        "run": run_id,
        "champion": decision.previous_champion,
        "reason": decision.reason,
    }
    emit(verdict, "adapter", decision.adapter, about, occasion=run_id)
    if decision.drifted:
        drifted = {check.slice_value: check.value for check in decision.drifted}
        about = {"run": run_id, "drifted": drifted}
        emit("drift", "adapter", decision.adapter, about, occasion=run_id)


def emit_served(serve: Serve) -> None:
    """`served`, or `refused` with the guard rail, of everyone's lists."""
    event, occasion = "refused" if serve.refused else "served", serve.served_at.isoformat()
    emit(event, "lists", serve.lists, serve.to_json(), occasion=occasion)


def emit_refused(requests: SplitRatings, reason: str) -> None:
    """`refused`, where there are requests and no lists to make of them."""
    emit("refused", "lists", requests.fingerprint, {"refused": reason}, occasion="requests")


def emit(
    event: str, kind: str, fingerprint: str, payload: dict[str, Any], *, occasion: str
) -> None:
    """`content-advisor.{event}` about an artifact, once an occasion; nothing without a flow run."""
    if FlowRunContext.get() is None:
        return
    about = f"{NAME}.{kind}.{fingerprint}"
    same = uuid5(NAMESPACE_URL, f"{event} {about} {occasion}")
    emit_event(f"{NAME}.{event}", {"prefect.resource.id": about}, payload=payload, id=same)
