"""Silences, and the test of a channel: what operators do about alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.utils import timezone

from tests.integration.alerting import Inbox, inbox, settings
from z4j_django import operations
from z4j_django.alerts.causes import Place
from z4j_django.alerts.channels.base import Answer
from z4j_django.alerts.planning import Holding
from z4j_django.alerts.silences import Silences
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.models import AlertChannel, AlertDelivery, AlertSilence, Operation
from z4j_django.watch import lease

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ops() -> Iterator[Inbox]:
    with inbox() as found, settings():
        yield found


def user(role: str) -> User:
    """Somebody who has a role."""
    call_command("migrate", "z4j_django", verbosity=0)  # makes the roles, once they were flushed
    found = User.objects.create_user(role)
    found.groups.add(Group.objects.get(name=role))
    return found


def outcome(operation: Operation) -> tuple[str, str, str]:
    target = operation.targets.get()
    return target.kind, target.outcome, target.reason


class TestSilences:
    def test_one_says_who_why_and_until_when(self) -> None:
        done = operations.silence_alerts(
            "queue_without_consumer",
            subject="mail*",
            until=3600,
            reason="The mail server moves.",
            actor="anna",
        )
        row = AlertSilence.objects.get()
        assert (row.condition, row.subject, row.created_by) == (
            "queue_without_consumer",
            "mail*",
            "anna",
        )
        assert row.reason == "The mail server moves."
        assert abs(row.until - timezone.now() - timedelta(hours=1)) < timedelta(seconds=10)
        assert outcome(done)[:2] == ("alert", "done")
        assert done.targets.get().result_id == str(row.pk)

    def test_all_are_silenced_at_once(self) -> None:
        operations.silence_alerts("all", until=60, actor="anna")
        assert AlertSilence.objects.get().condition == ""

    @pytest.mark.parametrize(
        ("condition", "options", "words"),
        [
            ("nothing", {"until": 60}, "There is no condition 'nothing'; all of them are 'all'."),
            ("all", {}, "until: This is required."),
            ("all", {"until": 0}, " is over."),
            ("all", {"until": 60, "subject": "a\0b"}, "subject: no name is like this pattern."),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, condition: str, options: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(OperationError, match=words.replace(".", r"\.")):
            operations.silence_alerts(condition, **options, actor="anna")
        assert not AlertSilence.objects.exists()

    def test_one_is_ended_once(self) -> None:
        operations.silence_alerts("all", until=60, actor="anna")
        row = AlertSilence.objects.get()
        assert outcome(operations.end_silence(row.pk, actor="ben")) == (
            "silence",
            "done",
            "It is over.",
        )
        row.refresh_from_db()
        assert row.ended_by == "ben"
        with pytest.raises(OperationError, match="is over already"):
            operations.end_silence(row.pk, actor="ben")
        for wrong in ("x", "9" * 30, row.pk + 1):
            with pytest.raises(OperationError):
                operations.end_silence(wrong, actor="ben")

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_its_moments_are_by_the_databases_clock(
        self, hours: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ahead = timedelta(hours=hours)
        monkeypatch.setattr(lease, "now", lambda: timezone.now() + ahead)
        operations.silence_alerts("all", until=600, actor="anna")
        row = AlertSilence.objects.get()
        near = timedelta(seconds=10)
        assert abs(row.until - lease.now() - timedelta(seconds=600)) < near
        assert abs(row.since - lease.now()) < near
        # A round that began just before it is held back as well.
        one = Holding(Place("no_workers", ""), "critical", [""])
        held = Silences("default", row.since - timedelta(seconds=1)).hold_back([one])
        assert held == {one.place}
        operations.end_silence(row.pk, actor="ben")
        row.refresh_from_db()
        assert row.ended_at is not None
        assert abs(row.ended_at - lease.now()) < near
        operations.test_channel("ops", actor="anna")
        sent = AlertDelivery.objects.get()
        assert sent.claimed_at is not None
        assert sent.finished_at is not None
        assert abs(sent.claimed_at - lease.now()) < near
        assert abs(sent.finished_at - lease.now()) < near

    def test_an_operator_may_and_a_viewer_may_not(self) -> None:
        with pytest.raises(PermissionDenied, match=r"z4j_django\.silence_alert is missing"):
            operations.silence_alerts("all", until=60, actor=user("z4j viewer"))
        operations.silence_alerts("all", until=60, actor=user("z4j operator"))


class TestChannels:
    def test_a_test_is_sent_and_is_on_record(self, ops: Inbox) -> None:
        done = operations.test_channel("ops", actor="anna")
        assert outcome(done) == ("channel", "done", "Thanks.")
        [message] = ops.messages
        assert (message.status, message.rule) == ("test", "test by anna")
        row = AlertDelivery.objects.get()
        assert (row.state, row.status, row.channel, row.kind) == ("sent", "test", "ops", "inbox")
        assert done.targets.get().result_id == str(row.pk)

    @pytest.mark.parametrize(
        ("answer", "result", "state"),
        [
            (Answer("refused", "404"), "refused", "refused"),
            (Answer("later", "503"), "failed", "failed"),
            (Answer("unknown", "No answer."), "unknown", "perhaps"),
        ],
    )
    def test_what_came_of_it_is_told(
        self, ops: Inbox, answer: Answer, result: str, state: str
    ) -> None:
        ops.answers = [answer]
        done = operations.test_channel("ops", actor="anna")
        assert outcome(done) == ("channel", result, answer.text)
        assert AlertDelivery.objects.get().state == state

    def test_one_that_is_switched_off_can_be_tried_and_one_that_is_not_there_not(
        self, ops: Inbox
    ) -> None:
        AlertChannel.objects.create(name="off", kind="inbox", is_enabled=False)
        operations.test_channel("off", actor="anna")
        assert len(ops.messages) == 1
        with pytest.raises(OperationError, match="There is no alert channel 'gone'"):
            operations.test_channel("gone", actor="anna")

    def test_only_who_manages_alerts_may(self) -> None:
        with pytest.raises(PermissionDenied, match="manage_alerts"):
            operations.test_channel("ops", actor=user("z4j operator"))
        operations.test_channel("ops", actor=user("z4j admin"))

    def test_it_takes_no_options(self) -> None:
        with pytest.raises(OptionsError):
            operations.perform("test_channel", "ops", {"to": "me"}, actor="anna")
