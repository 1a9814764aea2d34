"""A real server without a worker alerts a webhook of runs that start late or do not end."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.states import Completed, Running

from flows.alerts import Alert
from flows.automations import create_automations, save_webhook
from flows.late_runs import late_triggers
from flows.settings import WEBHOOK, WEBHOOK_BLOCK
from tests.servers import finished, wait_until, webhook


def payload(run, happened, look, deployment="nightly/nightly"):
    return Alert(
        f"the run of {run.expected_start_time:%Y-%m-%d %H:%M} UTC {happened}",
        f"flow run {run.name} of deployment {deployment}",
        f"prefect flow-run {look} {run.id}",
    ).payload


def test_a_run_that_does_not_start_or_does_not_end_is_alerted_once(client, deployed, by_hand):
    with webhook() as (address, payloads):
        command = [sys.executable, "-m", "flows", "alerts"]
        output = finished(command, deployed | {WEBHOOK: address})
        assert output.count("created automation") == 6, output
        triggers = late_triggers(save_webhook(address), 0.2, 0.003)
        for done in ("updated", "kept"):
            assert [line.split()[0] for line in create_automations(triggers)] == [done] * 3
        assert len(client.read_automations()) == 6
        deployment, now = "nightly/nightly", datetime.now(UTC)
        late = by_hand(deployment, due=now - timedelta(hours=1))
        endless = by_hand(deployment, Running(), due=now - timedelta(hours=2))
        waits = by_hand("rescore/rescore", due=now - timedelta(hours=3))
        by_hand(deployment, Running(), Completed(), due=now)
        wait_until(lambda: len(payloads) > 3, seconds=60)
        time.sleep(3)  # three more looks of the server's
        expected = [
            payload(late, "is late, and has not started within 0.2 minutes", "inspect"),
            payload(late, "has waited for 0.003 hours", "inspect"),
            payload(endless, "has not ended within 0.003 hours", "logs"),
            payload(waits, "has waited for 0.003 hours", "inspect", "rescore/rescore"),
        ]
        assert sorted(map(str, payloads)) == sorted(map(str, expected))
        log = Path(deployed["PREFECT_HOME"], "server.log").read_text()
        kept = client.read_block_document_by_name(WEBHOOK_BLOCK, "webhook", include_secrets=False)
        assert "hush" not in f"{output} {log} {kept} {client.read_automations()}"


def test_an_alert_without_an_environment_goes_to_the_address_on_the_server(client, monkeypatch):
    monkeypatch.delenv(WEBHOOK, raising=False)
    with webhook() as (address, payloads):
        save_webhook(address)
        one = Alert("it happened", "a run", "make reports")
        one.post()
        assert payloads == [one.payload]
