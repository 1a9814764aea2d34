"""Tells a person what should not wait, in the log and to a webhook where one is set."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State

from flows.settings import WEBHOOK, webhook
from tasks.metrics_db import open_readonly
from tasks.publish.task import metric_file
from tasks.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """What happened, in which run, and the command that shows more."""

    what: str
    where: str
    look: str

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.what}\nin {self.where}; to look further: {self.look}"

    @property
    def told(self) -> dict[str, str]:
        """For the webhook."""
        return {"text": self.text} | asdict(self)

    def ring(self) -> None:
        """Log and post it."""
        log.warning(self.text)
        self.post()

    def post(self) -> None:
        """As JSON to the webhook; one that does not take it is told of, and stops nothing."""
        try:
            if address := webhook():
                httpx.post(address, json=self.told, timeout=10).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # their texts have the address
            log.error("the webhook of %s did not take this: %s", WEBHOOK, type(error).__name__)


def ended_badly(flow: Any, flow_run: FlowRun, state: State) -> None:  # noqa: ANN401
    """For Prefect's hooks on_failure and on_crashed; Prefect has it in its log already."""
    what = f"{flow.name} {state.type.value.lower()}: {state.message}"
    Alarm(what, f"flow run {flow_run.name}", f"prefect flow-run logs {flow_run.id}").post()


def findings(run_id: str, store: Store) -> Iterator[Alarm]:
    """A challenger that was turned down, for its figures or for data that have drifted."""
    with open_readonly(metric_file(store)) as db:
        query = (
            "select reason from champions "
            "where run_id = ? and previous_champion is not null and not promoted"
        )
        for (reason,) in db.execute(query, [run_id]).fetchall():
            what = f"the night's adapter did not become champion: {reason}"
            yield Alarm(what, f"run {run_id}", f"make reports name=checks run_id={run_id}")
