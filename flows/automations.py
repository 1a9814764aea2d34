"""Has the Prefect server watch runs: it alerts a webhook or sets a state, without a worker."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.automations import CallWebhook, EventTrigger, Posture
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore

from flows.alerts import Alert
from flows.settings import WEBHOOK_BLOCK

ENDED = frozenset({"Completed", "Cancelled", "Failed", "TimedOut", "Crashed"})
Action = ChangeFlowRunState | CallWebhook


@dataclass(frozen=True)
class RunTrigger:
    """Acts once on a run of any deployment, or of the one whose id is `deployment`.

    That is when an event of `expect` arrives or, where `within` is set, when none has arrived so
    long after one of `after`. Events are the names of states, and `heartbeat`. Where `deployed` is
    false, runs that no deployment made count as well.
    """

    name: str
    action: Action
    expect: frozenset[str]
    after: frozenset[str] = frozenset()
    within: timedelta = timedelta(0)
    deployment: UUID | None = None
    deployed: bool = True

    def automation(self) -> AutomationCore:
        """The Prefect automation of this trigger."""
        which = f"prefect.deployment.{self.deployment or '*'}"
        related = {"prefect.resource.role": "deployment", "prefect.resource.id": which}
        trigger = EventTrigger(
            posture=Posture.Proactive if self.within else Posture.Reactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=related if self.deployed else {},
            for_each={"prefect.resource.id"},
            after={f"prefect.flow-run.{event}" for event in self.after},
            expect={f"prefect.flow-run.{event}" for event in self.expect},
            within=self.within,
        )
        return AutomationCore(name=self.name, trigger=trigger, actions=[self.action])


def escaped(expression: str) -> str:
    """A template of the server's, whose value fits into a JSON string: names may have quotes."""
    return f"{{{{ (({expression}) | tojson)[1:-1] }}}}"


def save_webhook(address: str) -> UUID:
    """Write the address into the server's block of the webhook; return the block's id."""
    block = Webhook(url=address, headers={"Content-Type": "application/json"})
    return cast(UUID, block.save(WEBHOOK_BLOCK, overwrite=True))


def call(block: UUID, alert: Alert) -> CallWebhook:
    """The action that sends an alert, in which the server fills in templates."""
    return CallWebhook(block_document_id=block, payload=json.dumps(alert.payload))


def create_automations(wanted: Sequence[RunTrigger]) -> Iterator[str]:
    """Create or update the automations of triggers; yield what was done to each."""
    with get_client(sync_client=True) as client:
        for trigger in wanted:
            automation = trigger.automation()
            known = client.read_automations_by_name(trigger.name)
            if not known:
                client.create_automation(automation)
                done = "created"
            elif automation.model_dump() == known[0].model_dump(exclude={"id"}):
                done = "kept"  # an update would forget the runs that it is following
            else:
                client.update_automation(known[0].id, automation)
                done = "updated"
            yield f'{done} automation "{trigger.name}"'
