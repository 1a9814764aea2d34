"""Has the Prefect server alert the webhook when the nightly run starts late, or does not end."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.automations import CallWebhook, EventTrigger, Posture
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore

from flows.alerts import Alert
from flows.settings import WEBHOOK_BLOCK

DEPLOYMENT = "nightly/nightly"
ENDED = frozenset({"Completed", "Cancelled", "Failed", "TimedOut", "Crashed"})
STARTED = ENDED | {"Running"}  # a cancelled run is never Running
# The server fills in what is in braces.
RUN = "the run of {{ flow_run.expected_start_time.strftime('%Y-%m-%d %H:%M') }} UTC"
SOURCE = f"flow run {{{{ flow_run.name }}}} of deployment {DEPLOYMENT}"


@dataclass(frozen=True)
class LateRunTrigger:
    """Alerts when a run that entered state `after` enters none of `until` in time."""

    name: str
    after: str
    until: frozenset[str]
    within: timedelta
    alert: Alert

    def automation(self, deployment: UUID, block: UUID) -> AutomationCore:
        """The Prefect automation of this trigger."""
        related = {
            "prefect.resource.role": "deployment",
            "prefect.resource.id": f"prefect.deployment.{deployment}",
        }
        trigger = EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=related,
            for_each={"prefect.resource.id"},
            after={f"prefect.flow-run.{self.after}"},
            expect={f"prefect.flow-run.{state}" for state in self.until},
            within=self.within,
        )
        call = CallWebhook(block_document_id=block, payload=json.dumps(self.alert.payload))
        return AutomationCore(name=self.name, trigger=trigger, actions=[call])


def triggers(start_within: float = 15, end_within: float = 6) -> list[LateRunTrigger]:
    """One for a late start, in minutes after the schedule, one for a late end, in hours."""
    late = Alert(
        f"{RUN} is late, and has not started within {start_within:g} minutes",
        SOURCE,
        "prefect flow-run inspect {{ flow_run.id }}",
    )
    long = Alert(
        f"{RUN} has not ended within {end_within:g} hours",
        SOURCE,
        "prefect flow-run logs {{ flow_run.id }}",
    )
    minutes, hours = timedelta(minutes=start_within), timedelta(hours=end_within)
    return [
        LateRunTrigger("a run is late", "Late", STARTED, minutes, late),
        LateRunTrigger("a run takes too long", "Running", ENDED, hours, long),
    ]


def create_triggers(address: str, wanted: Sequence[LateRunTrigger]) -> Iterator[str]:
    """Create or update the webhook's block and the automations; yield what was done to each.

    Raises ObjectNotFound where the server does not know the deployment.
    """
    block = Webhook(url=address, headers={"Content-Type": "application/json"})
    block_id = cast(UUID, block.save(WEBHOOK_BLOCK, overwrite=True))
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT).id
        for trigger in wanted:
            automation = trigger.automation(deployment, block_id)
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
