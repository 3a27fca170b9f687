"""Who is told what, and when: one round after the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from tests.integration.alerting import (
    NOW,
    Inbox,
    at,
    ends,
    holds,
    inbox,
    settings,
    tell,
    written,
)
from z4j_django.alerts import telling
from z4j_django.models import (
    AlertChannel,
    AlertDelivery,
    AlertNotice,
    AlertRule,
    AlertSilence,
    ConditionRecord,
    Lease,
    WorkerRecord,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ops() -> Iterator[Inbox]:
    with inbox() as found, settings():
        yield found


def worker(hostname: str, *queues: str) -> None:
    WorkerRecord.objects.create(project="default", hostname=hostname, queues=list(queues))


def silenced(condition: str = "", subject: str = "*", seconds: float = 3600.0) -> AlertSilence:
    return AlertSilence.objects.create(
        project="default",
        condition=condition,
        subject=subject,
        created_by="anna",
        since=at(0),
        until=at(seconds),
    )


class TestOneProblem:
    def test_what_is_critical_is_told_once_and_that_it_is_over_once(self) -> None:
        holds("no_workers")
        holds("failing", "shop.pay", "warning")
        assert tell(0, 15) == []  # it waits, for its cause may come
        assert tell(30) == ["firing no_workers"]
        assert tell(45, 60, 3600) == []
        ends("no_workers")
        assert tell(3615) == ["resolved no_workers"]
        assert tell(3630, 3645) == []
        notice = AlertNotice.objects.get()
        assert (notice.is_open, notice.closed_at, notice.number) == (None, at(3615), 2)

    def test_what_is_over_before_it_is_told_nobody_hears_of(self) -> None:
        holds("no_workers")
        tell(0)
        ends("no_workers")
        assert tell(15, 30, 45) == []
        assert not AlertNotice.objects.exists()

    def test_it_is_told_again_after_four_hours_and_a_warning_never(self) -> None:
        with settings(RULES={"all": {"severity": "warning", "after": 0}}):
            holds("no_workers")
            holds("failing", "shop.pay", "warning")
            assert len(tell(0)) == 2
            assert tell(4 * 3600 - 1) == []
            assert tell(4 * 3600) == ["firing no_workers"]
            assert tell(8 * 3600) == ["firing no_workers"]

    def test_a_rule_may_say_otherwise(self) -> None:
        rules = {"mail": {"subjects": ["mail*"], "severity": "warning", "after": 0, "repeat": 60}}
        with settings(RULES=rules):
            holds("queue_backing_up", "mail.out", "warning")
            holds("queue_backing_up", "orders", "warning")
            assert tell(0) == ["firing queue_backing_up:mail.out"]
            assert tell(59) == []
            assert tell(60) == ["firing queue_backing_up:mail.out"]

    def test_an_error_is_found_by_the_name_of_its_task(self) -> None:
        with settings(RULES={"pay": {"subjects": ["shop.*"], "severity": "warning", "after": 0}}):
            holds("new_error", "00ff", "warning", numbers={"task": "shop.pay"})
            holds("new_error", "00fe", "warning", numbers={"task": "mail.send"})
            assert tell(0) == ["firing new_error:00ff"]

    def test_a_warning_that_becomes_critical_is_told_again(self) -> None:
        with settings(RULES={"all": {"severity": "warning", "after": 0}}):
            holds("worker_gone", "w1@a", "warning")
            assert len(tell(0)) == 1
            ConditionRecord.objects.update(severity="critical")
            assert tell(15) == ["firing worker_gone:w1@a"]
            assert tell(30) == []

    def test_what_comes_back_after_its_end_is_told_anew(self) -> None:
        for begin in (0, 1000):
            holds("no_workers")
            assert tell(begin, begin + 30) == ["firing no_workers"]
            ends("no_workers", when=begin + 60)
            assert tell(begin + 60) == ["resolved no_workers"]
        assert AlertNotice.objects.count() == 2

    def test_a_message_says_all_that_there_is_to_say(self) -> None:
        holds("queue_without_consumer", "mail")
        tell(0, 30)
        [message] = written("message")
        [problem] = message["problems"]
        assert message["group"] == "default/critical/queue_without_consumer:mail"
        assert problem["title"] == "Queue without a consumer"
        assert problem["evidence"] == "queue_without_consumer of mail."
        assert problem["remedy"].startswith("Start a worker with `-Q`")
        assert written("summary") == ["Queue without a consumer: mail"]

    def test_the_end_of_what_is_not_on_record_any_more_is_told_by_its_name(self) -> None:
        holds("queue_without_consumer", "mail")
        assert len(tell(0, 30)) == 1
        ConditionRecord.objects.all().delete()
        assert tell(45) == ["resolved queue_without_consumer:mail"]
        assert written("message")[-1]["problems"][0]["title"] == "Queue without a consumer"


class TestGroups:
    def test_forty_queues_of_one_dead_worker_are_one_message(self) -> None:
        queues = [f"q{n:02}" for n in range(40)]
        worker("w1@a", *queues)
        worker("w2@b", "other")
        holds("worker_gone", "w1@a", "warning")
        for queue in queues:
            holds("queue_without_consumer", queue)
        tell(0)
        [told] = tell(30)
        assert told.split()[:3] == ["firing", "worker_gone:w1@a", "queue_without_consumer:q00"]
        assert len(told.split()) == 2 + 40
        ends("queue_without_consumer")
        [over] = tell(60)
        assert over.startswith("resolved worker_gone:w1@a queue_without_consumer:q00 ")

    def test_what_comes_later_of_the_same_cause_is_no_news(self) -> None:
        worker("w1@a", "mail", "orders", "slow")
        with settings(RULES={"all": {"severity": "warning"}}):
            holds("worker_silent", "w1@a", "warning")
            assert tell(0, 30) == ["firing worker_silent:w1@a"]
            holds("queue_without_consumer", "mail", "warning")
            holds("queue_backing_up", "orders", "warning")
            assert tell(45, 60, 75, 90) == []
            holds("worker_gone", "w1@a", "warning")
            assert tell(600) == []
            ends("worker_silent")
            assert tell(615, 900) == []
            ends("queue_without_consumer")
            ends("queue_backing_up")
            ends("worker_gone")
            [over] = tell(915)
            assert over.startswith("resolved worker_silent:w1@a ")
            assert len(over.split()) == 5

    def test_a_cause_that_comes_later_is_said_in_the_same_group_first(self) -> None:
        worker("w1@a", "mail", "orders")
        holds("queue_without_consumer", "mail")
        assert tell(0, 30) == ["firing queue_without_consumer:mail"]
        holds("worker_gone", "w1@a", "critical")
        assert tell(45) == ["firing worker_gone:w1@a queue_without_consumer:mail"]
        holds("queue_without_consumer", "orders")
        assert tell(60, 75, 900) == []
        assert AlertNotice.objects.count() == 1
        assert len({one["group"] for one in written("message")}) == 1

    def test_no_two_causes_make_it_told_for_ever(self) -> None:
        worker("w1@a", "mail")
        worker("w2@a", "orders")
        holds("no_workers")
        holds("queue_without_consumer", "mail")
        holds("queue_without_consumer", "orders")
        assert len(tell(0, 30)) == 1
        ends("no_workers")
        holds("worker_gone", "w1@a", "warning")
        holds("worker_gone", "w2@a", "warning")
        assert len(tell(45)) == 1
        assert tell(60, 75, 90) == []

    def test_what_outlasts_its_cause_is_told_where_it_was_not(self) -> None:
        worker("w1@a", "mail", "orders")
        holds("worker_gone", "w1@a")
        assert len(tell(0, 30)) == 1
        holds("queue_without_consumer", "mail")
        assert tell(45, 60) == []
        ends("worker_gone")
        assert tell(75) == []  # it may end with it
        assert tell(90) == ["firing worker_gone:w1@a queue_without_consumer:mail"]

    def test_many_of_one_condition_are_one_message_and_so_is_what_joins_them(self) -> None:
        for n in range(8):
            holds("worker_not_consuming", f"w{n}@a")
        [told] = tell(0, 30)
        assert len(told.split()) == 9
        holds("worker_not_consuming", "w8@a")
        assert tell(45, 60, 300) == []
        [told] = tell(330)
        assert "worker_not_consuming:w8@a" in told
        ends("worker_not_consuming", *(f"w{n}@a" for n in range(8)))
        assert tell(345) == []
        ends("worker_not_consuming", "w8@a")
        assert len(tell(360)) == 1

    def test_a_thousand_problems_are_one_message_of_a_hundred(self) -> None:
        keys = ("worker_not_consuming", "queue_without_consumer", "chord_stuck", "journal_losing")
        rows = [
            ConditionRecord(
                project="default",
                key=key,
                subject=f"{{{{ {n} }}}}\x1b[2J{'x' * 200}",
                severity="critical",
                since=at(-60),
                last_seen=at(0),
                evidence="{% include %}\x00".replace("\x00", ""),
            )
            for key in keys
            for n in range(250)
        ]
        ConditionRecord.objects.bulk_create(rows)
        with settings(RULES={"all": {"after": 0}}):
            found = tell(0)
        assert len(found) == len(keys)
        assert all(one.endswith(" +150") for one in found)

    def test_many_causes_of_all_kinds_are_one_message(self) -> None:
        keys = ("worker_not_consuming", "queue_without_consumer", "chord_stuck", "journal_losing")
        for key in keys:
            for n in range(4):
                holds(key, f"{key}{n}")
        with settings(RULES={"all": {"after": 0}}):
            [told] = tell(0)
            assert len(told.split()) == 17


class TestQuietHours:
    RULES: ClassVar = {
        "night": {
            "severity": "warning",
            "after": 0,
            "quiet_from": "22:00",
            "quiet_until": "07:00",
            "quiet_zone": "Europe/Berlin",
        }
    }

    @staticmethod
    def seconds(text: str) -> float:
        moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        return (moment - NOW).total_seconds()

    def test_a_warning_waits_for_the_morning_and_what_is_critical_does_not(self) -> None:
        with settings(RULES=self.RULES):
            holds("failing", "shop.pay", "warning")
            holds("no_workers")
            assert tell(self.seconds("2027-01-01T23:00")) == ["firing no_workers"]
            assert tell(self.seconds("2027-01-02T06:59")) == ["firing no_workers"]  # again
            assert tell(self.seconds("2027-01-02T07:00")) == ["firing failing:shop.pay"]

    def test_what_is_over_in_the_night_is_said_in_the_morning_to_who_was_told(self) -> None:
        with settings(RULES=self.RULES):
            holds("failing", "shop.pay", "warning")
            assert len(tell(self.seconds("2027-01-01T21:00"))) == 1
            night = self.seconds("2027-01-01T22:00")
            ends("failing", when=night)
            assert tell(night) == []
            holds("failing", "shop.ship", "warning")
            assert tell(self.seconds("2027-01-02T03:00")) == []
            ends("failing", when=night + 6 * 3600)
            assert tell(self.seconds("2027-01-02T07:00")) == ["resolved failing:shop.pay"]


class TestSilences:
    def test_what_is_silenced_is_counted_and_said_at_its_end_if_it_holds(self) -> None:
        row = silenced("queue_without_consumer", "mail*", 600.0)
        holds("queue_without_consumer", "mail.in")
        holds("queue_without_consumer", "mail.out")
        holds("queue_without_consumer", "orders")
        assert tell(0, 30) == ["firing queue_without_consumer:orders"]
        ends("queue_without_consumer", "mail.in")
        assert tell(60, 585) == []
        row.refresh_from_db()
        assert row.held_count == 2
        assert tell(600, 615, 630) == ["firing queue_without_consumer:mail.out"]
        message = written("message")[-1]
        assert message["problems"][0]["evidence"].endswith("; 2 alerts were held back.")
        assert "silenced by anna" in message["problems"][0]["evidence"]
        assert tell(645, 660) == []

    def test_one_that_is_ended_is_over_at_once(self) -> None:
        row = silenced()
        holds("no_workers")
        assert tell(0, 30, 45) == []
        row.ended_at, row.ended_by = at(50), "ben"
        row.save()
        assert tell(60, 90) == ["firing no_workers"]

    def test_who_was_told_is_told_of_the_end_and_not_again_before(self) -> None:
        holds("no_workers")
        assert len(tell(0, 30)) == 1
        silenced(seconds=10 * 3600)
        assert tell(5 * 3600) == []
        ends("no_workers")
        assert tell(5 * 3600 + 15) == ["resolved no_workers"]


class TestChannels:
    def test_each_channel_of_a_rule_is_told(self) -> None:
        AlertChannel.objects.create(name="more", kind="inbox")
        AlertChannel.objects.create(name="off", kind="inbox", is_enabled=False)
        holds("no_workers")
        tell(0, 30)
        assert written("channel") == ["more", "ops"]

    def test_a_rule_of_the_database_counts_and_one_of_the_settings_comes_before_it(self) -> None:
        AlertRule.objects.create(name="mine", conditions=["failing"], severity="warning", after=0)
        holds("failing", "shop.pay", "warning")
        holds("no_workers")
        assert tell(0) == ["firing failing:shop.pay"]
        AlertRule.objects.update(is_enabled=False)
        assert tell(3600, 7200) == []
        ends("failing")
        assert tell(7215) == ["resolved failing:shop.pay"]  # for that was told
        assert written("rule") == ["mine", "mine"]

    @pytest.mark.parametrize(
        "change", [{"is_enabled": False}, {"channels": ["other"]}, {"name": "another", "after": 99}]
    )
    def test_a_rule_that_tells_it_no_more_says_nothing_but_the_end(
        self, change: dict[str, Any]
    ) -> None:
        AlertRule.objects.create(name="mine", severity="warning", after=0)
        worker("w1@a", "mail")
        with settings(CHANNELS={"ops": {"kind": "inbox"}, "other": {"kind": "inbox"}}):
            AlertRule.objects.update(channels=["ops"])
            holds("queue_without_consumer", "mail", "warning")
            assert len(tell(0)) == 1
            AlertRule.objects.update(**change)
            ConditionRecord.objects.update(severity="critical")
            holds("worker_gone", "w1@a")
            tell(15, 30, 45)
            mine = AlertDelivery.objects.filter(channel="ops", rule="mine")
            assert mine.count() == 1
            ends("queue_without_consumer")
            tell(60)
            assert mine.order_by("id").last().status == "resolved"

    def test_a_channel_that_is_deleted_is_told_nothing_more(self) -> None:
        channel = AlertChannel.objects.create(name="more", kind="inbox")
        with settings(CHANNELS={}):
            holds("no_workers")
            assert len(tell(0, 30)) == 1
            channel.delete()
            ends("no_workers")
            assert tell(45) == []
            assert not AlertNotice.objects.filter(is_open=True).exists()

    def test_a_channel_that_comes_later_hears_what_holds(self) -> None:
        holds("no_workers")
        with settings(CHANNELS={}):
            assert not telling.tell("default", at(0))
        assert tell(15, 45) == ["firing no_workers"]

    def test_a_rule_that_is_wrong_is_passed_over(self) -> None:
        wrong = {"wrong": {"conditions": ["nothing"]}, "right": {"after": 0}}
        with settings(RULES=wrong):
            holds("no_workers")
            assert tell(0) == ["firing no_workers"]

    def test_where_all_rules_are_wrong_what_is_critical_is_told_all_the_same(self) -> None:
        with settings(RULES={"wrong": {"conditions": ["nothing"]}}):
            holds("no_workers")
            assert tell(0, 30) == ["firing no_workers"]

    def test_a_kind_that_forgets_is_reminded_by_the_same_delivery(self) -> None:
        with (
            inbox("forgetful", repeats=60.0, is_idempotent=True),
            settings(CHANNELS={"am": {"kind": "forgetful"}}),
        ):
            holds("no_workers")
            tell(0, 30)
            AlertDelivery.objects.update(state="sent", finished_at=at(31))
            tell(60)
            assert written("state") == ["sent"]
            tell(91)
            assert written("state", "number") == [("pending", 1)]
            ends("no_workers")
            tell(120)
            assert written("status") == ["firing", "resolved"]


class TestHosts:
    def test_a_round_from_before_the_last_decides_nothing(self) -> None:
        holds("no_workers")
        tell(30)
        assert tell(15, 29) == []
        assert Lease.objects.get(name=Lease.ALERTS).done_at == at(30)

    def test_a_clock_that_was_set_back_stops_nothing(self) -> None:
        tell(7200)
        holds("no_workers")
        assert tell(0, 30) == ["firing no_workers"]

    def test_its_queries_are_few_however_much_holds(
        self, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(60):
            holds("queue_without_consumer", f"q{n}")
            holds("worker_gone", f"w{n}@a", "warning")
        tell(0, 30)
        with django_assert_max_num_queries(16):
            telling.tell("default", at(45))


def test_a_notice_keeps_no_more_than_a_bounded_number_of_what_is_over() -> None:
    with settings(RULES={"all": {"after": 0}}):
        holds("chord_stuck", "first")
        for n in range(6):
            holds("chord_stuck", f"c{n}")
        tell(0)
        notice = AlertNotice.objects.get()
        members = notice.members["members"]
        assert len(members) == 7
        gone = [["chord_stuck", f"x{n}", *members[0][2:]] for n in range(700)]
        notice.members["members"] = gone + members
        notice.save()
        tell(15)
        notice.refresh_from_db()
        assert len(notice.members["members"]) == 507
