"""Alerts reach people by apprise, beside the webhook."""

from flows.alerts import Alert
from flows.settings import NOTIFY, WEBHOOK
from tests.servers import webhook

WORSE = Alert("worse", "run 1", "make reports name=checks")


def test_people_are_told_what_the_webhook_is_told(monkeypatch):
    with webhook() as (hook, payloads), webhook() as (people, notes):
        monkeypatch.setenv(WEBHOOK, hook)
        monkeypatch.setenv(NOTIFY, people.replace("http:", "json:"))
        assert WORSE.send()
    assert [payload["text"] for payload in payloads] == [notes[0]["message"]]
    assert notes[0]["title"] == payloads[0]["summary"] == "worse"


def test_a_notification_that_fails_stops_nothing_and_hides_its_address(monkeypatch, caplog):
    with webhook() as (hook, payloads):
        monkeypatch.setenv(WEBHOOK, hook)
        monkeypatch.setenv(NOTIFY, "json://127.0.0.1:9/?token=hush nonsense://hush")
        assert not WORSE.send()
    assert len(payloads) == 1
    assert f"a notification of {NOTIFY} failed" in caplog.text
    assert "hush" not in caplog.text
