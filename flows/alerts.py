"""Sends what a person should know at once to the log, a webhook and apprise, where they are set."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException

from flows.settings import NOTIFY, WEBHOOK, notify_urls, webhook
from tasks.plain_text import escape_control
from tasks.publish.sent_alerts import Rejection, find_unsent, mark_sent
from tasks.store.store import Store

FAILED_RUNS = "a run has failed"  # the server's automation, see failed_runs
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

    def send(self) -> bool:
        """Log and post it; return whether it arrived."""
        log.warning(self.text)
        return self.post()

    def post(self) -> bool:
        """Post it to the webhook and to people; what fails is logged and stops nothing.

        Returns whether it arrived, which it does where neither is set.
        """
        return all([self.call_webhook(), self.notify()])

    def notify(self) -> bool:
        """Tell people by apprise: chats, e-mail, push messages."""
        if not (urls := notify_urls()):
            return True
        from apprise import Apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs URLs that it cannot read
        people = Apprise()
        known = [people.add(url) for url in urls]
        sent = people.notify(title=escape_control(self.summary), body=self.text)
        if sent and all(known):
            return True
        log.error("a notification of %s failed", NOTIFY)
        return False

    def call_webhook(self) -> bool:
        """Post it to the webhook as JSON."""
        try:
            if address := webhook():
                httpx.post(address, json=self.payload, timeout=10).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # their texts contain the address
            log.error("the webhook of %s failed: %s", WEBHOOK, type(error).__name__)
            return False
        return True


def on_run_failure(flow: Any, flow_run: FlowRun, state: State) -> None:  # noqa: ANN401
    """For Prefect's hooks on_failure and on_crashed; Prefect has logged the failure already.

    A deployment's run is left to the server where that calls the webhook: a run whose process is
    gone calls no hook.
    """
    summary = f"{flow.name} {state.type.value.lower()}: {state.message}"
    alert = Alert(summary, f"flow run {flow_run.name}", f"prefect flow-run logs {flow_run.id}")
    if flow_run.deployment_id and _server_alerts():
        alert.notify()
    else:
        alert.post()


def _server_alerts() -> bool:
    """Whether the server has an automation for failed runs; False where it does not answer."""
    try:
        with get_client(sync_client=True) as client:
            return any(one.enabled for one in client.read_automations_by_name(FAILED_RUNS))
    except (httpx.HTTPError, PrefectException):
        return False


def alert_on_rejections(store: Store) -> None:
    """Send an alert for each rejected adapter that has had none, and note that it arrived.

    Called after each publish, and before each run: a run that died in between, or a webhook that
    failed, loses none.
    """
    mark_sent([one for one in find_unsent(store) if rejection_alert(one).send()], store)


def rejection_alert(rejection: Rejection) -> Alert:
    """Of a rejected adapter: for its figures, drifted data, or a champion that is not there."""
    summary = f"the run's adapter did not become champion: {rejection.reason}"
    report = f"checks run_id={rejection.run_id}" if rejection.compared else "champions"
    return Alert(summary, f"run {rejection.run_id}", f"make reports name={report}")
