"""``z4j_alerts``: who is told of what, a test, a silence and its end, and what was told."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.integration.alert_pages import SENTINEL, URL, delivery, telling
from z4j_django.alerts import rules, sending
from z4j_django.alerts.channels import base
from z4j_django.models import AlertChannel, AlertDelivery, AlertRule, AlertSilence, Operation

pytestmark = pytest.mark.django_db


def told(*words: str) -> str:
    output = StringIO()
    call_command("z4j_alerts", *words, stdout=output)
    return output.getvalue()


def exit_code(*words: str) -> Any:
    with pytest.raises((SystemExit, CommandError)) as stopped:
        told(*words)
    error: Any = stopped.value
    return error.code if isinstance(error, SystemExit) else error.returncode


@pytest.fixture
def channel() -> AlertChannel:
    sealed = rules.seal_secrets("default", "hooks", {"url": URL})
    return AlertChannel.objects.create(name="hooks", kind="webhook", sealed=sealed)


def test_all_is_listed_and_nothing_secret(channel: AlertChannel, settings: Any) -> None:
    rule = {"severity": "warning", "channels": ["hooks"]}
    settings.Z4J = {"ALERTS": {"RULES": {"loud": rule}}}
    AlertRule.objects.create(name="night", conditions=["worker_gone"])
    told("silence", "worker_gone", "--until", "60", "--reason", "It moves.")
    shown, whole = told("list"), told("list", "--json")
    assert SENTINEL not in shown + whole
    for words in ("Channels: 1", "Rules: 2", "Silences: 1", "hooks.shop.test", "It moves."):
        assert words in shown, words
    found = json.loads(whole)
    assert [(one["name"], one["source"]) for one in found["rules"]] == [
        ("loud", "settings"),
        ("night", "database"),
    ]
    assert found["channels"][0] == {
        **{"name": "hooks", "kind": "webhook", "place": "hooks.shop.test"},
        **{"source": "database", "is_enabled": True, "fault": ""},
    }
    assert found["silences"][0]["condition"] == "worker_gone"


def test_without_anything_it_says_so() -> None:
    shown = told("list")
    assert "Channels: none" in shown
    assert "default" in shown  # the rule that there is without any


def test_a_test_exits_by_what_the_channel_answered(
    channel: AlertChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [base.Answer("sent", "200: ok"), base.Answer("refused", "403: go away")]
    monkeypatch.setattr(sending, "send", lambda *how: answers.pop(0))
    assert "A test message is sent to it." in told("test", "hooks", "--dry-run")
    assert not Operation.objects.exists()
    shown = told("test", "hooks")
    newest = AlertDelivery.objects.get()
    assert f"hooks -> {newest.pk}  done  200: ok" in shown
    assert exit_code("test", "hooks") == 1
    assert AlertDelivery.objects.latest("id").state == "refused"
    assert exit_code("test", "nobody") == 1
    assert exit_code("test", "nobody", "--dry-run") == 1


def test_a_silence_is_made_and_ended() -> None:
    assert "would be done" in told("silence", "all", "--until", "60", "--dry-run")
    assert not AlertSilence.objects.exists()
    told("silence", "all", "--until", "3600", "--subject", "mail.*")
    row = AlertSilence.objects.get()
    assert (row.condition, row.subject) == ("", "mail.*")
    assert row.until - timezone.now() > timedelta(minutes=59)
    assert "what holds still is told" in told("unsilence", str(row.pk), "--dry-run")
    told("unsilence", str(row.pk))
    row.refresh_from_db()
    assert row.ended_at is not None
    assert exit_code("unsilence", str(row.pk)) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("silence", "made_up", "--until", "60"),
        ("silence", "all"),
        ("silence", "all", "--until", "yesterday"),
        ("silence", "all", "--until", "2020-01-01T00:00:00Z"),
        ("unsilence", "x"),
        ("unsilence", "9" * 40),
        ("deliveries", "--limit", "0"),
        ("deliveries", "--subject", "w1"),
    ],
)
def test_what_can_not_be_is_told(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        told(*words)
    assert not AlertSilence.objects.exists()


def test_what_was_told_is_listed() -> None:
    for number in range(3):
        delivery(summary=f"number {number}", message=telling("worker_gone", "w1"))
    delivery(summary="else\x1b[2J", channel="mail", message=telling("beat_stopped", "w1"))
    assert "\x1b" not in told("deliveries")
    assert "else" not in told("deliveries", "--channel", "hooks")
    shown = told("deliveries", "--condition", "worker_gone", "--subject", "w1", "--json")
    assert [one["summary"] for one in json.loads(shown)["deliveries"]] == [
        *("number 2", "number 1", "number 0"),
    ]
    found = json.loads(told("deliveries", "--limit", "1", "--condition", "worker_gone", "--json"))
    assert ([one["summary"] for one in found["deliveries"]], found["more"]) == (["number 2"], True)
