"""Schedules: what came of each lately, when it is due, and what is overdue."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import celery
import pytest
from celery.schedules import crontab
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration import operators
from tests.integration.operators import address
from tests.integration.pages import SCRIPT, task, text
from z4j_django import wiring
from z4j_django.admin import fragments
from z4j_django.agent.discovery import Found
from z4j_django.models import ConditionRecord, TaskRecord
from z4j_django.queries import schedule_runs, schedules

pytestmark = pytest.mark.django_db

SCHEDULES = address("taskrecord_schedules")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    fragments.forget()


def scheduled(monkeypatch: pytest.MonkeyPatch, *names: str) -> celery.Celery:
    """An app whose beat has to send these every hour, and a report at night."""
    made = celery.Celery("shop", set_as_current=False)
    made.conf.beat_schedule = {
        **{name: {"task": f"shop.{name}"[:255], "schedule": 3600.0} for name in names},
        "report": {"task": "shop.report", "schedule": crontab(minute=0, hour=3)},
    }
    monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(made, "tests:app"))
    return made


def ran(schedule: str, *runs: str, **fields: Any) -> list[TaskRecord]:
    """The runs of a schedule, an hour apart, the newest last."""
    now = timezone.now()
    return [
        task(
            f"{number}-{schedule}"[:255],
            schedule=schedule,
            name=f"shop.{schedule}"[:255],
            state=state,
            sent_at=now - timedelta(hours=len(runs) - number),
            **fields,
        )
        for number, state in enumerate(runs)
    ]


def overdue(schedule: str, hours: float) -> None:
    since = timezone.now() - timedelta(hours=hours)
    ConditionRecord.objects.create(
        key="schedule_overdue", subject=schedule, severity="warning", since=since,
        last_seen=timezone.now(), evidence=f"{schedule} was due.",
    )  # fmt: skip


def row(shown: str, name: str) -> str:
    return next(one for one in shown.split("<tr>") if f'title="{name}"' in one)


class TestTable:
    def test_what_is_overdue_comes_first_and_then_what_is_due_next(self, monkeypatch) -> None:
        scheduled(monkeypatch, "tick", "late", "new")
        ran("tick", "SUCCESS")
        overdue("late", 2)
        now = timezone.now()
        found = schedule_runs.page("default", now).rows
        assert [one.entry.name for one in found] == ["late", "report", "new", "tick"]
        late, report, new, tick = found
        assert late.due(now) == late.overdue.since
        assert now < tick.due(now) <= now + timedelta(hours=1)
        assert report.due(now).hour == 3
        assert new.due(now) is None

    def test_the_newest_runs_of_each_are_there_the_newest_last(self, monkeypatch) -> None:
        scheduled(monkeypatch, "tick")
        ran("tick", *["SUCCESS"] * 9, "FAILURE")
        task("retried", schedule="tick", retry_of="tick-9", state="SUCCESS")
        task("theirs", schedule="tick", project="other", state="SUCCESS")
        tick = next(
            one
            for one in schedule_runs.page("default", timezone.now()).rows
            if one.entry.name == "tick"
        )
        assert [run.task_id for run in tick.runs] == [f"{n}-tick" for n in range(2, 10)]
        assert tick.last_sent == tick.runs[-1].sent_at


class TestPage:
    def test_each_says_what_came_of_it_and_when_it_is_due(self, admin_client, monkeypatch) -> None:
        scheduled(monkeypatch, "tick", "late")
        ran("tick", "SUCCESS", "FAILURE", "REVOKED", "STARTED")
        ran("late", "SUCCESS")
        overdue("late", 2)
        shown = text(admin_client.get(SCHEDULES))
        tick = row(shown, "tick")
        signs = re.findall(r'aria-label="(\w+) [^"]*">(.)</a>', tick)
        assert [state for state, _sign in signs] == ["SUCCESS", "FAILURE", "REVOKED", "STARTED"]
        assert len({sign for _state, sign in signs}) == 4
        assert ">STARTED</span>" in tick
        assert "every 1 h" in tick
        assert "overdue for" in row(shown, "late")
        assert "1 is overdue." in shown
        assert "none on record" in row(shown, "report")

    def test_without_schedules_it_says_so(self, admin_client, monkeypatch) -> None:
        scheduled(monkeypatch).conf.beat_schedule = {}
        assert "Nothing is scheduled" in text(admin_client.get(SCHEDULES))

    def test_what_is_switched_off_stands_below_with_its_last_runs(
        self, admin_client, monkeypatch
    ) -> None:
        scheduled(monkeypatch, "tick")
        ran("old", "SUCCESS", "FAILURE")
        off = SimpleNamespace(name="old", task="shop.old", last_run_at=None, interval="every hour")
        monkeypatch.setattr(schedules, "switched_off", lambda limit: [off])
        monkeypatch.setattr(schedules, "words", lambda one: one.interval)
        shown = text(admin_client.get(SCHEDULES)).partition("Switched off")[2]
        assert re.findall(r'aria-label="([A-Z]+) ', row(shown, "old")) == ["SUCCESS", "FAILURE"]
        assert "60 min ago" in row(shown, "old")
        assert "every hour" in row(shown, "old")

    def test_it_wants_the_permission_to_see_tasks(self, monkeypatch) -> None:
        scheduled(monkeypatch)
        assert operators.signed_in("staff").get(SCHEDULES).status_code == 403
        assert operators.signed_in("z4j viewer").get(SCHEDULES).status_code == 200

    def test_at_most_12_queries_however_many_schedules(self, monkeypatch) -> None:
        names = [f"s{number}" for number in range(300)]
        scheduled(monkeypatch, *names)
        for name in names[:9]:
            ran(name, "SUCCESS")
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            response = client.get(SCHEDULES)
        assert len(captured) <= 12
        seen, link = [], SCHEDULES
        while link:
            shown = text(client.get(link))
            seen += re.findall(r'<span class="z4j-name" title="(s\d+)"', shown)
            more = re.search(r'<a href="([^"]*)" rel="next"', shown)
            link = more[1].replace("&amp;", "&") if more else ""
        assert sorted(seen) == sorted(names)
        assert "301 schedules" in text(response)

    @pytest.mark.parametrize("first", ["x", "-1", "9" * 30, "99999", "%00"])
    def test_a_place_that_is_none_is_the_first_or_empty(
        self, admin_client, monkeypatch, first
    ) -> None:
        scheduled(monkeypatch, "tick")
        assert admin_client.get(f"{SCHEDULES}?from={first}").status_code == 200

    @pytest.mark.parametrize("name", [SCRIPT, "x" * 255, "\u202eevil", "🛒" * 60])
    def test_names_are_only_text(self, admin_client, monkeypatch, name) -> None:
        scheduled(monkeypatch, name)
        ran(name, "FAILURE")
        overdue(name, 1)
        assert SCRIPT not in text(admin_client.get(SCHEDULES))
