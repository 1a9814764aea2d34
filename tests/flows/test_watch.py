"""Nights that start late or do not end are told to a webhook, by a real server without a worker."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.states import Completed, Running

from flows.alarm import Alarm
from flows.settings import WEBHOOK, WEBHOOK_BLOCK
from flows.watch import main, watch, watches
from tests.servers import finished, wait_until, webhook


def test_without_a_webhook_late_nights_are_seen_in_the_ui_only(client, monkeypatch, capsys):
    monkeypatch.delenv(WEBHOOK, raising=False)
    monkeypatch.setattr(sys, "argv", ["watch"])
    main()
    (said,) = capsys.readouterr().out.splitlines()
    assert said == f"{WEBHOOK} is not set: a late night will be seen in Prefect's UI only"
    assert client.read_automations() == []


def alarm(run, happened, look):
    return Alarm(
        f"the night of {run.expected_start_time:%Y-%m-%d %H:%M} UTC {happened}",
        f"flow run {run.name} of deployment nightly/nightly",
        f"prefect flow-run {look} {run.id}",
    ).told


def test_a_night_that_does_not_start_or_does_not_end_is_told_of_once(client, deployed, by_hand):
    with webhook() as (address, told):
        command = [sys.executable, "-m", "flows.watch"]
        said = finished(command, deployed | {WEBHOOK: address})
        assert said.count("created automation") == 2, said
        for done in ("updated", "kept"):
            assert [line.split()[0] for line in watch(address, watches(0.2, 0.003))] == [done] * 2
        assert len(client.read_automations()) == 2
        night, now = "nightly/nightly", datetime.now(UTC)
        late = by_hand(night, due=now - timedelta(hours=1))
        endless = by_hand(night, Running(), due=now - timedelta(hours=2))
        by_hand(night, Running(), Completed(), due=now)
        wait_until(lambda: len(told) > 1, seconds=60)
        time.sleep(3)  # three more looks of the server's
        assert sorted(told, key=lambda one: one["what"], reverse=True) == [
            alarm(late, "is late, and has not started within 0.2 minutes", "inspect"),
            alarm(endless, "has not ended within 0.003 hours", "logs"),
        ]
        log = Path(deployed["PREFECT_HOME"], "server.log").read_text()
        kept = client.read_block_document_by_name(WEBHOOK_BLOCK, "webhook", include_secrets=False)
        assert "hush" not in f"{said} {log} {kept} {client.read_automations()}"


def test_an_alarm_without_an_environment_goes_to_the_address_on_the_server(client, monkeypatch):
    monkeypatch.delenv(WEBHOOK, raising=False)
    with webhook() as (address, told):
        list(watch(address, []))
        one = Alarm("it happened", "a run", "make reports")
        one.post()
        assert told == [one.told]
