"""Has the Prefect server tell the webhook of a night that does not start, or does not end.

python -m flows.watch [--start-within MINUTES] [--end-within HOURS]
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.automations import CallWebhook, EventTrigger, Posture
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from flows.alarm import Alarm
from flows.settings import WEBHOOK, WEBHOOK_BLOCK, webhook

DEPLOYMENT = "nightly/nightly"
ENDED = frozenset({"Completed", "Cancelled", "Failed", "TimedOut", "Crashed"})
STARTED = ENDED | {"Running"}  # one that is cancelled never runs
# The server fills in what is in braces.
NIGHT = "the night of {{ flow_run.expected_start_time.strftime('%Y-%m-%d %H:%M') }} UTC"
WHERE = f"flow run {{{{ flow_run.name }}}} of deployment {DEPLOYMENT}"


@dataclass(frozen=True)
class Watch:
    """After a run of the deployment comes into one state, it must come into another in time."""

    name: str
    after: str
    until: frozenset[str]
    within: timedelta
    alarm: Alarm

    def automation(self, deployment: UUID, block: UUID) -> AutomationCore:
        """The same for the server."""
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
        call = CallWebhook(block_document_id=block, payload=json.dumps(self.alarm.told))
        return AutomationCore(name=self.name, trigger=trigger, actions=[call])


def watches(start_within: float, end_within: float) -> list[Watch]:
    """What to watch for, from minutes after a night is late and hours after it began."""
    late = Alarm(
        f"{NIGHT} is late, and has not started within {start_within:g} minutes",
        WHERE,
        "prefect flow-run inspect {{ flow_run.id }}",
    )
    long = Alarm(
        f"{NIGHT} has not ended within {end_within:g} hours",
        WHERE,
        "prefect flow-run logs {{ flow_run.id }}",
    )
    return [
        Watch("a night is late", "Late", STARTED, timedelta(minutes=start_within), late),
        Watch("a night runs too long", "Running", ENDED, timedelta(hours=end_within), long),
    ]


def watch(address: str, asked: list[Watch]) -> Iterator[str]:
    """Create the webhook's block and the automations, or bring them up to date; say which.

    Raises ObjectNotFound where the server does not know the deployment.
    """
    block = Webhook(url=address, headers={"Content-Type": "application/json"})
    block_id = cast(UUID, block.save(WEBHOOK_BLOCK, overwrite=True))
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT).id
        for one in asked:
            wanted = one.automation(deployment, block_id)
            known = client.read_automations_by_name(one.name)
            if not known:
                client.create_automation(wanted)
                done = "created"
            elif wanted.model_dump() == known[0].model_dump(exclude={"id"}):
                done = "kept"  # an update would forget the runs that are being watched
            else:
                client.update_automation(known[0].id, wanted)
                done = "updated"
            yield f'{done} automation "{one.name}"'


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Have the server tell of nights that are late.")
    parser.add_argument("--start-within", type=float, default=15, help="minutes after it is late")
    parser.add_argument("--end-within", type=float, default=6, help="hours after it began")
    asked = parser.parse_args()
    if not (address := webhook()):
        print(f"{WEBHOOK} is not set: a late night will be seen in Prefect's UI only")
        return
    try:
        for done in watch(address, watches(asked.start_within, asked.end_within)):
            print(done)
    except ObjectNotFound:
        sys.exit(f"error: no deployment {DEPLOYMENT}: first prefect --no-prompt deploy --all")


if __name__ == "__main__":
    main()
