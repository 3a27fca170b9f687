"""What becomes of a message that was written down."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.integration.alerting import (
    Clock,
    Inbox,
    at,
    ends,
    holds,
    inbox,
    send,
    settings,
    tell,
    written,
)
from tests.process.harness.waiting import wait_until
from z4j_django.alerts import rules, sender
from z4j_django.alerts.channels.base import Answer
from z4j_django.models import AlertChannel, AlertDelivery

pytestmark = pytest.mark.django_db

LATER = Answer("later", "503 Service Unavailable")


@pytest.fixture(autouse=True)
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setattr(sender, "SPACE", 0.05)
    with inbox() as found, settings():
        yield found


@pytest.fixture
def told() -> None:
    """Something is to be told."""
    holds("no_workers")
    tell(0, 30)


def clock_at(seconds: float) -> Clock:
    made = Clock()
    made.seconds = seconds
    return made


def row() -> AlertDelivery:
    return AlertDelivery.objects.get()


def test_what_is_sent_is_on_record_with_what_was_answered(told: None, ops: Inbox) -> None:
    send(clock_at(31))
    assert ops.lines() == ["firing no_workers"]
    found = row()
    assert (found.state, found.answer, found.attempts) == ("sent", "Thanks.", 1)
    assert (found.claimed_by, found.claimed_at, found.finished_at) == ("1@here", at(31), at(31))
    assert ops.messages[0].id == f"z4j-{found.pk}"
    send(clock_at(60))
    assert len(ops.messages) == 1


def test_what_is_refused_is_not_sent_again(told: None, ops: Inbox) -> None:
    ops.answers = [Answer("refused", "404 Not Found")]
    send(clock_at(31))
    send(clock_at(3600))
    assert (row().state, row().answer, len(ops.messages)) == ("refused", "404 Not Found", 1)


def test_a_service_that_is_away_is_tried_again_more_and_more_seldom(told: None, ops: Inbox) -> None:
    ops.answers = [LATER] * 4
    waits, now = [], 31.0
    for _ in range(4):
        send(clock_at(now))
        waits.append((row().next_at - at(now)).total_seconds())
        now += waits[-1]
    assert [round(wait / 15 / 2**n) for n, wait in enumerate(waits)] == [1, 1, 1, 1]
    assert row().answer == "503 Service Unavailable"
    send(clock_at(now))
    assert (row().state, row().attempts) == ("sent", 5)
    assert len({one.id for one in ops.messages}) == 1


def test_it_is_left_alone_for_as_long_as_it_asks(told: None, ops: Inbox) -> None:
    ops.answers = [Answer("later", "429 Too Many Requests", retry_after=600.0)]
    send(clock_at(31))
    assert row().next_at == at(631)
    send(clock_at(630 - 10))
    assert len(ops.messages) == 1


def test_it_is_given_up_after_a_day(told: None, ops: Inbox) -> None:
    ops.answers = [LATER, LATER]
    send(clock_at(30 + 86_399))
    assert row().state == "pending"
    AlertDelivery.objects.update(next_at=at(0))
    send(clock_at(30 + 86_400))
    assert row().state == "failed"
    assert row().answer == "It was given up after a day. 503 Service Unavailable"


def test_what_may_have_arrived_is_not_sent_again_and_said_to_be_so(told: None, ops: Inbox) -> None:
    ops.answers = [Answer("unknown", "There was no answer.")]
    send(clock_at(31))
    send(clock_at(3600))
    assert (row().state, len(ops.messages)) == ("perhaps", 1)
    ends("no_workers")
    tell(3615)
    send(clock_at(3615))
    assert ops.lines()[1:] == ["resolved no_workers"]  # who may have heard of it, hears


def test_where_it_is_one_alert_it_is_sent_again() -> None:
    with inbox("once", is_idempotent=True) as found, settings(CHANNELS={"a": {"kind": "once"}}):
        found.answers = [Answer("unknown", "There was no answer.")]
        holds("no_workers")
        tell(0, 30)
        send(clock_at(31))
        assert row().state == "pending"
        send(clock_at(60))
        assert row().state == "sent"


class TestReminded:
    """Where a channel forgets, what holds is sent again and again, as one delivery."""

    @pytest.fixture(autouse=True)
    def am(self) -> Iterator[Inbox]:
        with (
            inbox("forgetful", repeats=60.0, is_idempotent=True) as found,
            settings(CHANNELS={"am": {"kind": "forgetful"}}, RULES={"all": {"repeat": 0}}),
        ):
            holds("no_workers")
            tell(0, 30)
            send(clock_at(31))
            yield found

    @staticmethod
    def remind(*seconds: float) -> None:
        for one in seconds:
            tell(one)
            send(clock_at(one))

    def test_a_failure_counts_as_its_first(self, am: Inbox) -> None:
        self.remind(*range(100, 1000, 100))
        assert row().attempts == 1
        am.answers = [LATER]
        self.remind(1000)
        assert 12 <= (row().next_at - at(1000)).total_seconds() <= 18

    def test_one_of_more_than_a_day_is_not_given_up_at_a_failure(self, am: Inbox) -> None:
        day = 86_400
        am.answers = [LATER]
        self.remind(2 * day)
        assert (row().state, row().answer) == ("pending", LATER.text)
        self.remind(2 * day + 30, 2 * day + 300)
        assert (row().state, len(am.messages)) == ("sent", 4)
        am.answers = [LATER]
        self.remind(3 * day)
        AlertDelivery.objects.update(next_at=at(0))
        am.answers = [LATER]
        self.remind(4 * day)
        assert row().state == "failed"

    def test_it_waits_from_when_it_is_sent_again(self, am: Inbox) -> None:
        tell(3600)
        assert row().state == "pending"
        assert not sender.is_stuck("default", at(3601), timedelta(minutes=15))
        assert sender.is_stuck("default", at(3600 + 901), timedelta(minutes=15))


class TestKilled:
    def claim(self, seconds: float) -> None:
        AlertDelivery.objects.update(
            state="sending", claimed_by="9@there", claimed_at=at(seconds), attempts=1
        )

    def test_what_it_was_sending_is_perhaps_told(self, told: None, ops: Inbox) -> None:
        self.claim(30)
        send(clock_at(89))
        assert row().state == "sending"
        send(clock_at(91))
        assert (row().state, ops.messages) == ("perhaps", [])
        assert row().answer.startswith("The process that sent it was killed meanwhile; ")

    def test_where_it_is_one_alert_it_is_sent_again(self) -> None:
        with inbox("once", is_idempotent=True) as one, settings(CHANNELS={"a": {"kind": "once"}}):
            holds("no_workers")
            tell(0, 30)
            self.claim(30)
            send(clock_at(91))
            assert (row().state, row().attempts, len(one.messages)) == ("sent", 2, 1)

    def test_the_end_waits_until_it_is_known_what_came_of_the_beginning(
        self, told: None, ops: Inbox
    ) -> None:
        self.claim(30)
        ends("no_workers")
        tell(60)
        clock = clock_at(60)
        thread = threading.Timer(0.2, lambda: setattr(clock, "seconds", 91.0))
        thread.start()
        send(clock)
        thread.join()
        assert written("state") == ["perhaps", "sent"]
        assert ops.lines() == ["resolved no_workers"]


class TestNeedless:
    def test_what_was_over_before_it_could_be_told_nobody_hears_of(
        self, told: None, ops: Inbox
    ) -> None:
        ops.answers = [LATER]
        send(clock_at(31))
        ends("no_workers")
        tell(45)
        send(clock_at(100))
        assert written("state", "answer") == [
            ("dropped", "A later message says more."),
            ("dropped", "It was over before it could be told."),
        ]
        assert len(ops.messages) == 1

    def test_who_refused_the_beginning_does_not_hear_of_the_end(
        self, told: None, ops: Inbox
    ) -> None:
        ops.answers = [Answer("refused", "404")]
        send(clock_at(31))
        ends("no_workers")
        tell(45)
        send(clock_at(46))
        assert written("state") == ["refused", "dropped"]

    @pytest.mark.parametrize("is_killed", [False, True])
    def test_where_it_is_one_alert_what_may_have_arrived_is_ended(self, is_killed: bool) -> None:
        with inbox("once", is_idempotent=True) as one, settings(CHANNELS={"a": {"kind": "once"}}):
            holds("no_workers")
            tell(0, 30)
            if is_killed:
                AlertDelivery.objects.update(state="sending", claimed_at=at(-60), attempts=1)
            else:
                one.answers = [Answer("unknown", "There was no answer.")]
                send(clock_at(31))
                assert row().state == "pending"
            ends("no_workers")
            tell(35)
            send(clock_at(60))
            assert one.lines()[-1:] == ["resolved no_workers"]
            assert written("state") == ["dropped", "sent"]

    def test_the_end_of_what_was_to_be_told_again_is_told(self) -> None:
        with (
            inbox("forgetful", repeats=60.0, is_idempotent=True) as am,
            settings(CHANNELS={"am": {"kind": "forgetful"}}),
        ):
            holds("no_workers")
            tell(0, 30)
            send(clock_at(31))
            tell(100)
            ends("no_workers")
            tell(115)
            send(clock_at(115))
            assert am.lines() == ["firing no_workers", "resolved no_workers"]

    def test_a_channel_that_was_deleted_meanwhile(self, ops: Inbox) -> None:
        channel = AlertChannel.objects.create(name="more", kind="inbox")
        with settings(CHANNELS={}):
            holds("no_workers")
            tell(0, 30)
            channel.delete()
            send(clock_at(31))
        assert (row().state, ops.messages) == ("dropped", [])
        assert row().answer == "The channel is not there any more, or is switched off."

    def test_what_another_version_has_written_is_refused(self, told: None, ops: Inbox) -> None:
        AlertDelivery.objects.update(message={"problems": 1})
        send(clock_at(31))
        assert (row().state, ops.messages) == ("refused", [])


class TestChannels:
    def test_one_that_is_away_holds_up_no_other(self, ops: Inbox) -> None:
        with inbox("away") as away:
            away.answers = [LATER] * 10
            channels = {"a": {"kind": "away"}, "b": {"kind": "inbox"}}
            with settings(CHANNELS=channels, RULES={"all": {"after": 0}}):
                for n in range(3):
                    holds("queue_without_consumer", f"q{n}")
                tell(0)
                send(clock_at(1))
            assert len(away.messages) == 1
            assert len(ops.messages) == 3

    def test_nor_does_all_that_waits_for_it(self, ops: Inbox) -> None:
        with inbox("away") as away, settings(CHANNELS={"a": {"kind": "away"}}):
            away.answers = [LATER]
            holds("no_workers")
            tell(0, 30)
            more = row()
            more.notice = None
            values = {one.attname: getattr(more, one.attname) for one in more._meta.fields}
            values.pop("id")
            AlertDelivery.objects.bulk_create(AlertDelivery(**values) for _ in range(201))
            with settings(CHANNELS={"a": {"kind": "away"}, "b": {"kind": "inbox"}}):
                tell(45, 75)
                send(clock_at(76))
            assert (len(away.messages), ops.lines()) == (1, ["firing no_workers"])

    def test_each_is_sent_to_once_a_second(
        self, ops: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sender, "SPACE", 0.2)
        moments: list[float] = []
        ops.meanwhile = lambda: moments.append(sender.time.monotonic())
        with settings(RULES={"all": {"after": 0}}):
            for n in range(3):
                holds("queue_without_consumer", f"q{n}")
            tell(0)
            send(clock_at(1))
        assert all(later - one >= 0.2 for one, later in itertools.pairwise(moments))
        assert len(moments) == 3

    def test_its_secrets_are_opened_for_it_and_stand_nowhere_else(self, ops: Inbox) -> None:
        sealed = rules.seal_secrets("default", "more", {"token": "hunter2-hunter2"})
        AlertChannel.objects.create(name="more", kind="inbox", sealed=sealed)
        with settings(CHANNELS={}):
            holds("no_workers")
            tell(0, 30)
            send(clock_at(31))
            assert ops.given[0].token == "hunter2-hunter2"
            assert "hunter2" not in str(rules.channels("default"))
            assert b"hunter2" not in bytes(AlertChannel.objects.get().sealed)

    def test_secrets_that_do_not_open_are_told(self, ops: Inbox) -> None:
        sealed = rules.seal_secrets("default", "another", {"token": "hunter2-hunter2"})
        AlertChannel.objects.create(name="more", kind="inbox", sealed=sealed)
        with settings(CHANNELS={}):
            holds("no_workers")
            tell(0, 30)
            send(clock_at(31))
        assert (row().state, ops.messages) == ("refused", [])
        assert "can't be opened" in row().answer


@pytest.mark.django_db(transaction=True)
class TestThread:
    def test_it_sends_and_ends(self, ops: Inbox) -> None:
        holds("no_workers")
        tell(0, 30)
        made = sender.Sender("default", clock_at(31), "1@here")
        made.begin()
        wait_until(lambda: row().state == "sent", 10, "the message")
        made.begin()  # nothing is left
        made.end(1)
        assert not made.hangs

    def test_of_two_one_sends(self, ops: Inbox) -> None:
        both = threading.Barrier(2, timeout=10)
        holds("no_workers")
        tell(0, 30)
        made = [sender.Sender("default", clock_at(31), f"{n}@here") for n in range(2)]

        def run(one: sender.Sender) -> None:
            both.wait()
            one._sending.begin(one.run)
            one.join(10.0)

        threads = [threading.Thread(target=run, args=[one]) for one in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ops.messages) == 1
        assert (row().state, row().attempts) == ("sent", 1)


def test_nothing_is_written_down_twice(told: None) -> None:
    found = row()
    found.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        found.save(force_insert=True)


def test_what_waits_for_long_is_known(told: None) -> None:
    age = timedelta(minutes=15)
    assert not sender.is_stuck("default", at(31), age)
    assert sender.is_stuck("default", at(3600), age)


def test_no_failure_of_the_database_ends_it(
    told: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    made = sender.Sender("default", Clock(), "1@here")

    def fail() -> None:
        raise RuntimeError("no such table")

    monkeypatch.setattr(made, "run", fail)
    for _ in range(2):
        made.begin()
        made.join(5.0)
    lines = [one.getMessage() for one in caplog.records]
    assert lines == ["The alerts could not be sent: RuntimeError: no such table"]
