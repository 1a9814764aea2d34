"""Lets a person decide about a promotion that the checks leave open."""

import duckdb
from prefect.flow_runs import pause_flow_run
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


def ask(challenger: str, hours: float, *, every: int = 10) -> Decision:
    """Pause the flow run; return what a person decided, looking each `every` seconds."""
    summary = f"the promotion of {challenger} is borderline: resume the run with your decision"
    hint = f"the page of flow run {flow_run.id} in Prefect's UI"
    Alert(summary, f"flow run {flow_run.name}", hint).send()
    verdict = pause_flow_run(Verdict, timeout=int(hours * 3600), poll_interval=every)
    return Decision(verdict.promote, f"decided by hand: {verdict.reason}")
