"""Lets a person decide about a promotion that the checks leave open."""

import duckdb
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.flow_runs import pause_flow_run, resume_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run

from flows.alerts import Alert
from tasks.publish.contest import Contest
from tasks.publish.opponent import Challenge, Decision
from tasks.publish.promotion import compare, is_borderline
from tasks.store.artifacts import ValidatedRatings
from tasks.store.store import Store


class Verdict(RunInput):
    """What a person fills in to resume the run."""

    promote: bool
    reason: str


def ask_where_open(
    challenge: Challenge, contest: Contest, ratings: ValidatedRatings, store: Store
) -> Decision | None:
    """The decision of a person where the checks are borderline; None where these decide.

    Pauses the flow run until a person resumes it with a `Verdict`. Raises FlowPauseTimeout where
    nobody does within `promotion.ask_hours`.
    """
    margins = challenge.margins
    if not margins.ask_within or challenge.champion is None or challenge.decided:
        return None
    champions_ratings = store.ancestor(ValidatedRatings, challenge.champion)
    with duckdb.connect() as db:
        checks = compare(db, contest, ratings, champions_ratings, challenge)
    if not is_borderline(checks, margins.ask_within):
        return None
    return ask(challenge.challenger.fingerprint, margins.ask_hours)


def answer(run: str, verdict: Verdict) -> str:
    """Resume the paused run with a decision; return its name.

    `run` is its name or the beginning of its id; empty where one only is paused. Raises
    LookupError where not exactly one fits.
    """
    paused = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    with get_client(sync_client=True) as client:
        waiting = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=paused))
    found = [one for one in waiting if run in ("", one.name) or str(one.id).startswith(run)]
    if len(found) != 1:
        names = ", ".join(one.name for one in waiting) or "none (PREFECT_PROFILE=serve?)"
        raise LookupError(f'{len(found)} paused runs are "{run}": there are {names}')
    resume_flow_run(found[0].id, run_input=verdict.model_dump())
    return found[0].name


def ask(challenger: str, hours: float, *, every: int = 10) -> Decision:
    """Pause the flow run; return what a person decided, looking each `every` seconds."""
    summary = f"the promotion of {challenger} is borderline: resume the run with your decision"
    hint = f"the page of flow run {flow_run.id} in Prefect's UI, or `advisor approve`"
    Alert(summary, f"flow run {flow_run.name}", hint).send()
    verdict = pause_flow_run(Verdict, timeout=int(hours * 3600), poll_interval=every)
    return Decision(verdict.promote, f"decided by hand: {verdict.reason}")
