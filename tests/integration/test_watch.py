"""Who evaluates the conditions, and how what holds is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from z4j_django.conditions import registry
from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.models import ConditionRecord, Lease
from z4j_django.watch import lease, pausing, rounds, watching

pytestmark = pytest.mark.django_db

NOW = timezone.now()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Wrong:
    """A condition that finds what it is told to."""

    def __init__(self, key: str = "wrong") -> None:
        self.findings: list[Finding] = []
        self.error: Exception | None = None
        self.condition = Condition(
            key=key,
            title="Wrong",
            about="Something is wrong.",
            severity="warning",
            subject="queue",
            remedy="Mend it.",
            find=self.find,
        )

    def find(self, scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
        if self.error is not None:
            raise self.error
        yield from self.findings


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Wrong:
    made, failed = Wrong(), registry.CONDITIONS["not_evaluated"]
    known = {"wrong": made.condition, "not_evaluated": failed}
    monkeypatch.setattr(registry, "CONDITIONS", known)
    monkeypatch.setattr(rounds, "CONDITIONS", known)
    return made


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def run(seconds: float, told: set[str] | None = None, **given: Any) -> None:
    thresholds = registry.thresholds(given)
    list(rounds.evaluate("default", at(seconds), thresholds, set() if told is None else told))


def open_now() -> dict[str, str]:
    return dict(ConditionRecord.objects.filter(is_open=True).values_list("subject", "evidence"))


class TestLease:
    def test_one_has_it_until_it_is_not_taken_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [at(0)]
        monkeypatch.setattr(lease, "now", lambda: clock[0])
        first, second = (lease.DatabaseLease("default", "watch", 45.0) for _ in range(2))
        assert first.holder != second.holder
        assert first.take() == at(0)
        assert second.take() is None
        clock[0] = at(30)
        assert first.take() == at(30)
        clock[0] = at(74)
        assert second.take() is None
        clock[0] = at(76)
        assert second.take() == at(76)
        assert first.take() is None
        assert Lease.objects.get().holder == second.holder

    def test_of_two_that_read_the_same_row_one_has_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (lease.DatabaseLease("default", "watch", 45.0) for _ in range(2))
        first.take()
        Lease.objects.update(until=at(-60))
        as_read = second.read()
        assert first.take() is not None
        monkeypatch.setattr(second, "read", lambda: as_read)
        assert second.take() is None

    def test_projects_and_rights_have_their_own(self) -> None:
        assert lease.DatabaseLease("default", "watch", 45.0).take()
        assert lease.DatabaseLease("other", "watch", 45.0).take()
        assert lease.DatabaseLease("default", "alerts", 45.0).take()

    def test_a_host_whose_clock_is_an_hour_off_does_not_take_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if lease.connections["default"].vendor == "sqlite":
            pytest.skip("its clock is that of the host")
        assert lease.DatabaseLease("default", "watch", 45.0).take()
        real = lease.time.time
        monkeypatch.setattr(lease.time, "time", lambda: real() + 3600)
        assert lease.DatabaseLease("default", "watch", 45.0).take() is None

    def test_one_from_before_the_clock_was_set_back_is_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease, "now", lambda: at(3600))
        assert lease.DatabaseLease("default", "watch", 45.0).take()
        monkeypatch.setattr(lease, "now", lambda: at(0))
        assert lease.DatabaseLease("default", "watch", 45.0).take()

    @pytest.mark.parametrize("off", [-3600.0, 3600.0])
    def test_it_knows_how_far_the_hosts_clock_is_ahead(
        self, off: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moment = timezone.now()
        monkeypatch.setattr(lease, "now", lambda: moment)
        taken = lease.DatabaseLease("default", "watch", 45.0)
        seconds = iter((moment.timestamp() - 1.0, moment.timestamp() + 9.0))
        monkeypatch.setattr(lease.time, "time", lambda: next(seconds))
        taken.take()
        assert taken.host_ahead == 0.0  # as far as is known: the answer was long in coming
        monkeypatch.setattr(lease.time, "time", lambda: moment.timestamp() + off)
        taken.take()
        assert taken.host_ahead == off

    def test_the_database_tells_the_time(self) -> None:
        assert abs(lease.now() - timezone.now()) < timedelta(minutes=1)


class TestRounds:
    def test_what_holds_is_one_row_for_as_long_as_it_does(self, wrong: Wrong) -> None:
        wrong.findings = [Finding("mail", at(-60), "1 waits.", {"depth": 1})]
        run(0)
        wrong.findings = [Finding("mail", at(-30), "2 wait.", {"depth": 2}, "critical")]
        run(15)
        one = ConditionRecord.objects.get()
        assert (one.key, one.subject, one.severity) == ("wrong", "mail", "critical")
        assert (one.since, one.last_seen, one.ended_at) == (at(-60), at(15), None)
        assert (one.evidence, one.numbers) == ("2 wait.", {"depth": 2})

    def test_it_ends_after_two_rounds_in_which_it_did_not_hold(self, wrong: Wrong) -> None:
        held = [Finding("mail", at(0), "It waits.")]
        for seconds, found in ((0, held), (15, []), (30, held), (45, [])):
            wrong.findings = found
            run(seconds)
        assert open_now() == {"mail": "It waits."}
        run(60)
        one = ConditionRecord.objects.get()
        assert (one.last_seen, one.ended_at, one.is_open) == (at(30), at(60), None)

    def test_what_comes_back_is_another_row(self, wrong: Wrong) -> None:
        for number in range(3):
            wrong.findings = [Finding("mail", at(number * 100), "It waits.")]
            run(number * 100)
            wrong.findings = []
            run(number * 100 + 15)
            run(number * 100 + 30)
        assert ConditionRecord.objects.filter(is_open=None).count() == 3
        assert not open_now()

    def test_two_that_evaluate_at_once_open_it_once(self, wrong: Wrong) -> None:
        wrong.findings = [Finding("mail", at(0), "It waits.")]
        both = [rounds.evaluate("default", at(0), registry.thresholds({}), set()) for _ in range(2)]
        for _ in range(3):
            for one in both:
                next(one, None)
        assert ConditionRecord.objects.count() == 1

    def test_a_condition_that_fails_is_told_and_stops_no_other(
        self, wrong: Wrong, caplog: pytest.LogCaptureFixture
    ) -> None:
        wrong.findings = [Finding("mail", at(0), "It waits.")]
        run(0)
        wrong.error = DatabaseError("no such table\nLINE 1: at postgresql://me:secret@host/db")
        told: set[str] = set()
        for seconds in (15, 30, 45):
            run(seconds, told)
        assert open_now()["mail"] == "It waits."
        said = "Whether wrong holds is not known: DatabaseError: no such table LINE 1: at "
        assert open_now()["wrong"].startswith(said)
        assert "secret" not in open_now()["wrong"]
        assert len(caplog.records) == 1

    def test_one_that_is_switched_off_ends_at_once(self, wrong: Wrong) -> None:
        wrong.findings = [Finding("mail", at(0), "It waits.")]
        run(0)
        run(15, wrong=False)
        assert not open_now()

    def test_of_very_many_subjects_it_says_that_there_are_more(self, wrong: Wrong) -> None:
        wrong.findings = [Finding(f"queue {n}", at(-n), "It waits.") for n in range(500)]
        run(0)
        assert len(open_now()) == rounds.SUBJECTS_LIMIT + 1
        assert open_now()[""] == "The same holds of more than 100; the others are not listed."

    def test_hostile_text_is_bounded(self, wrong: Wrong) -> None:
        wrong.findings = [Finding("\ud800" + "q" * 500, at(9), "\x00" * 900, {"of": "x" * 900})]
        run(0)
        one = ConditionRecord.objects.get()
        assert (len(one.subject), len(one.evidence), len(one.numbers["of"])) == (255, 500, 255)
        assert one.since == at(0)  # nothing holds since a moment that is yet to come

    def test_other_projects_are_left_alone(self, wrong: Wrong) -> None:
        ConditionRecord.objects.create(
            project="other", key="wrong", severity="warning", since=at(0), last_seen=at(0)
        )
        run(15)
        run(30)
        assert open_now() == {"": ""}

    def test_a_quiet_round_asks_for_nothing_but_what_is_open(
        self, wrong: Wrong, django_assert_num_queries: Any
    ) -> None:
        thresholds = registry.thresholds({})
        round_ = rounds._store
        with django_assert_num_queries(1):
            round_(Scene("default", at(0)), {}, set(thresholds))


class TestWatch:
    def test_it_makes_a_round_every_fifteen_seconds_a_condition_at_a_time(
        self, wrong: Wrong
    ) -> None:
        clock = Clock()
        watch = watching.Watch("default", clock)
        wrong.findings = [Finding("mail", at(0), "It waits.")]
        for _ in range(2):
            watch.step()
            assert not open_now()
        watch.step()
        assert open_now() == {"mail": "It waits."}
        assert Lease.objects.get().done_at is not None
        wrong.findings = [Finding("mail", at(0), "It waits longer.")]
        clock.now = watching.EVERY - 1
        for _ in range(9):
            watch.step()
        assert open_now() == {"mail": "It waits."}
        clock.now = watching.EVERY
        for _ in range(3):
            watch.step()
        assert open_now() == {"mail": "It waits longer."}

    def test_paused_queues_are_looked_after_more_often_by_who_has_the_lease(
        self, wrong: Wrong, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[tuple[Any, float]] = []
        clock = Clock()
        monkeypatch.setattr(
            pausing.Keeper, "begin", lambda keeper: begun.append((keeper, clock.now))
        )
        first, second = (watching.Watch("default", clock) for _ in range(2))
        for clock.now in range(int(watching.EVERY)):
            first.step()
            second.step()
        assert [now for _, now in begun] == [0, 5, 10]
        assert {keeper for keeper, _ in begun} == {first._keeper}

    def test_one_without_the_lease_asks_for_it_and_nothing_else(
        self, wrong: Wrong, django_assert_max_num_queries: Any
    ) -> None:
        watching.Watch("default", Clock()).step()
        other = watching.Watch("default", Clock())
        with django_assert_max_num_queries(2):
            other.step()
            other.step()
        assert Lease.objects.get().holder != other.lease.holder

    def test_where_the_lease_ends_sooner_it_is_asked_for_then(
        self, wrong: Wrong, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock()
        monkeypatch.setattr(lease, "now", lambda: at(clock.now))
        watching.Watch("default", clock).step()  # killed: it says nothing more
        other = watching.Watch("default", clock)
        for clock.now in range(1, 45):
            other.step()
        assert Lease.objects.get().holder != other.lease.holder
        clock.now = watching.LEASE
        other.step()
        assert Lease.objects.get().holder == other.lease.holder

    def test_one_that_ends_leaves_it_to_others_at_once(
        self, wrong: Wrong, django_assert_num_queries: Any
    ) -> None:
        first, second = (watching.Watch("default", Clock()) for _ in range(2))
        first.step()
        second.step()
        with django_assert_num_queries(0):
            second.end()
        assert Lease.objects.get().holder == first.lease.holder
        first.end()
        third = watching.Watch("default", Clock())
        third.step()
        assert Lease.objects.get().holder == third.lease.holder

    def test_nobody_else_has_it_while_a_message_is_being_sent(
        self, wrong: Wrong, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, other = (watching.Watch("default", Clock()) for _ in range(2))
        first.step()

        def end() -> None:
            assert other.lease.take() is None
            raise DatabaseError("away")

        monkeypatch.setattr(first._alerts, "end", end)
        with pytest.raises(DatabaseError):
            first.end()
        assert other.lease.take() is not None

    def test_with_a_wrong_setting_the_defaults_count(
        self, wrong: Wrong, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.Z4J = {"CONDITIONS": {"wrnog": False}}
        wrong.findings = [Finding("mail", at(0), "It waits.")]
        clock = Clock()
        watch = watching.Watch("default", clock)
        for number in range(9):
            clock.now = number // 3 * watching.EVERY
            watch.step()
        assert open_now() == {"mail": "It waits."}
        assert [record.getMessage() for record in caplog.records] == [
            "All conditions have their defaults: Z4J['CONDITIONS'] has no place for 'wrnog'; it "
            "may hold wrong, not_evaluated."
        ]
