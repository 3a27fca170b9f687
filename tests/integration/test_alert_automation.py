"""What rules do by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from tests.integration.alerting import settings
from z4j_django.alerts import links
from z4j_django.conditions import attention
from z4j_django.models import (
    AlertAct,
    AlertRule,
    AlertSilence,
    ConditionRecord,
    ErrorGroup,
    Operation,
    TaskRecord,
)
from z4j_django.operations import automation
from z4j_django.values import error_id

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
RULE = {
    "conditions": ["new_error"],
    "severity": "warning",
    "verb": "resolve_errors",
    "is_dry_run": False,
    "after": 0,
}


@pytest.fixture
def allowed() -> Iterator[None]:
    with settings(CHANNELS={}, RULES={"mend": RULE}, AUTOMATION=True):
        yield


def wrong(number: int = 1) -> ErrorGroup:
    """An error that is new."""
    moment = NOW - timedelta(minutes=1)
    found = ErrorGroup.objects.create(
        project="default", fingerprint=number, first_seen=moment, last_seen=moment, count=1
    )
    ConditionRecord.objects.create(
        project="default",
        key="new_error",
        subject=error_id(number),
        severity="warning",
        since=moment,
        last_seen=NOW,
        evidence="It fails.",
    )
    return found


def act(*minutes: float) -> None:
    for one in minutes:
        automation.act("default", NOW + timedelta(minutes=one))


def done() -> list[tuple[Any, ...]]:
    return list(AlertAct.objects.order_by("id").values_list("rule", "is_dry_run", "words"))


def test_it_is_done_by_the_rule_and_is_on_record(allowed: None) -> None:
    error = wrong()
    act(0)
    error.refresh_from_db()
    assert error.state == ErrorGroup.State.RESOLVED
    operation = Operation.objects.get()
    assert (operation.verb, operation.actor) == ("resolve_errors", "rule mend")
    assert done() == [("mend", False, "1 done.")]
    assert AlertAct.objects.get().operation_id == operation.pk


def test_nothing_is_done_where_the_settings_do_not_allow_it() -> None:
    wrong()
    with settings(CHANNELS={}, RULES={"mend": RULE}):
        act(0)
    assert not Operation.objects.exists()
    assert not AlertAct.objects.exists()


def test_a_dry_run_is_the_default_and_is_written_down_once() -> None:
    wrong()
    rule = {name: value for name, value in RULE.items() if name != "is_dry_run"}
    with settings(CHANNELS={}, RULES={"mend": rule}, AUTOMATION=True):
        act(0, 10, 20)
    assert not Operation.objects.exists()
    subject = error_id(1)
    words = f"It would do this to {subject}: say that an error is resolved."
    assert done() == [("mend", True, words)]


def test_what_does_not_help_is_done_three_times_and_then_the_rule_stops() -> None:
    rule = {**RULE, "verb": "reopen_errors"}
    wrong()
    with settings(CHANNELS={}, RULES={"mend": rule}, AUTOMATION=True):
        act(0, 1, 4.9)
        assert len(done()) == 1
        act(5, 10, 15, 20, 25)
        assert len(done()) == 4
        assert done()[-1] == ("mend", False, "The rule stops: what it did 3 times did not help.")
        wrong(2)
        act(30)
        assert len(done()) == 4  # nor does it do anything else
        act(24 * 60 + 30)
        assert len(done()) > 4
    assert Operation.objects.count() >= 3


def test_one_of_the_database_stays_stopped_until_it_is_let_act_again() -> None:
    AlertRule.objects.create(name="mend", **{**RULE, "verb": "reopen_errors"}, breaker_limit=1)
    wrong()
    with settings(CHANNELS={}, AUTOMATION=True):
        act(0, 6, 12, 24 * 60 + 30)
        assert len(done()) == 2
        row = AlertRule.objects.get()
        assert row.stopped_at == NOW + timedelta(minutes=6)
        assert row.stopped_why.startswith("The rule stops: what it did 1 time did not help.")
        AlertRule.objects.update(stopped_at=None)
        act(24 * 60 + 60)  # the same holds still
        assert [words for _, _, words in done()[2:]] == ["1 refused."]
        act(24 * 60 + 66)
        assert AlertRule.objects.get().stopped_at == NOW + timedelta(minutes=24 * 60 + 66)


def test_it_is_done_so_often_an_hour_at_most() -> None:
    with settings(CHANNELS={}, RULES={"mend": {**RULE, "hourly_limit": 2}}, AUTOMATION=True):
        for number in range(1, 6):
            wrong(number)
        act(0, 5, 55)
        assert len(done()) == 2
        act(61)
        assert len(done()) == 4


def test_nothing_is_done_to_what_is_silenced(allowed: None) -> None:
    wrong()
    AlertSilence.objects.create(created_by="a", since=NOW, until=NOW + timedelta(hours=1))
    act(0)
    assert done() == []


def test_what_is_refused_is_on_record_and_so_is_what_was_cut_off(
    allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong()
    ErrorGroup.objects.all().delete()
    act(0)
    assert done() == [("mend", False, "1 refused.")]

    def killed(*args: Any, **options: Any) -> Any:
        raise SystemExit

    monkeypatch.setattr(automation.operations, "perform", killed)
    with pytest.raises(SystemExit):
        act(5)
    assert done()[1] == ("mend", False, "It was begun; what came of it is not known.")


def test_tasks_of_a_condition_are_found_by_its_filter() -> None:
    rule = {"conditions": ["possibly_lost"], "verb": "retry", "after": 0}
    ConditionRecord.objects.create(
        project="default",
        key="possibly_lost",
        subject="w1@a",
        severity="critical",
        since=NOW,
        last_seen=NOW,
        evidence="Lost.",
    )
    with settings(CHANNELS={}, RULES={"again": rule}, AUTOMATION=True):
        act(1)
    assert done() == [("again", True, "It would do this to 0 tasks: retry a task.")]


def test_nothing_is_done_to_what_is_too_much_to_be_listed() -> None:
    TaskRecord.objects.create(task_id="another", name="shop.pay", state="SUCCESS")
    rule = {"conditions": ["schedule_overdue"], "severity": "warning", "verb": "retry", "after": 0}
    ConditionRecord.objects.create(
        project="default",
        key="schedule_overdue",
        subject="",
        severity="warning",
        since=NOW,
        last_seen=NOW,
        evidence="The same holds of more than 100; the others are not listed.",
        numbers={"more_than": 100},
    )
    with settings(CHANNELS={}, RULES={"again": rule}, AUTOMATION=True):
        act(1)
    assert done() == []
    [shown] = attention.read("default").open
    assert shown.tasks == ""


@override_settings(Z4J={"BASE_URL": "https://shop.example/admin/"})
def test_what_is_too_much_to_be_listed_leads_to_the_list_of_its_kind() -> None:
    pages = {"new_error": "errorgroup/", "schedule_overdue": "taskrecord/schedules/"}
    for key in pages:
        one = ConditionRecord(key=key, since=NOW, numbers={"more_than": 100})
        attention.described([one])
        assert links.problem(one) == f"https://shop.example/admin/z4j_django/{pages[key]}"
