"""Sends what a person should know at once to the log, and to a webhook where one is set."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State

from flows.settings import WEBHOOK, webhook
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.plain_text import escape_control
from tasks.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What happened, in which run, and the command that shows more."""

    summary: str
    source: str
    hint: str

    @property
    def text(self) -> str:
        """For people."""
        text = f"{self.summary}\nin {self.source}; for details: {self.hint}"
        return escape_control(text, keep="\n")

    @property
    def payload(self) -> dict[str, str]:
        """For the webhook."""
        fields = {name: escape_control(text, keep="\n") for name, text in asdict(self).items()}
        return {"text": self.text} | fields

    def send(self) -> None:
        """Log and post it."""
        log.warning(self.text)
        self.post()

    def post(self) -> None:
        """Post it to the webhook as JSON; a webhook that fails is logged and stops nothing."""
        try:
            if address := webhook():
                httpx.post(address, json=self.payload, timeout=10).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # their texts contain the address
            log.error("the webhook of %s failed: %s", WEBHOOK, type(error).__name__)


def on_run_failure(flow: Any, flow_run: FlowRun, state: State) -> None:  # noqa: ANN401
    """For Prefect's hooks on_failure and on_crashed; Prefect has logged the failure already."""
    summary = f"{flow.name} {state.type.value.lower()}: {state.message}"
    Alert(summary, f"flow run {flow_run.name}", f"prefect flow-run logs {flow_run.id}").post()


def promotion_alerts(run_id: str, store: Store) -> Iterator[Alert]:
    """One alert if the run's adapter was rejected: for its figures, drifted data or no champion."""
    with open_readonly(metrics_path(store)) as db:
        query = (
            "select reason, exists (from checks where run_id = champions.run_id) from champions "
            "where run_id = ? and previous_champion is not null and not promoted"
        )
        for reason, compared in db.execute(query, [run_id]).fetchall():
            summary = f"the run's adapter did not become champion: {reason}"
            report = f"checks run_id={run_id}" if compared else "champions"
            yield Alert(summary, f"run {run_id}", f"make reports name={report}")
