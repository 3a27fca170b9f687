"""The first page: what is wrong, how much goes through, what is being done right now."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import first_page
from tests.first_page import condition, error, looked, running, sample, shop, worker
from tests.integration.counted import counted
from tests.integration.pages import superuser, task, text
from tests.integration.test_admin_schedules import overdue, ran, scheduled
from z4j_django.admin import fragments
from z4j_django.admin.room import chart, reading
from z4j_django.conditions import registry
from z4j_django.models import (
    Release,
)
from z4j_django.queries import errors

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
APP_INDEX = reverse("admin:app_list", args=["z4j_django"])
ROOM = reverse("admin:z4j_django_conditionrecord_room")
SERIES = reverse("admin:z4j_django_conditionrecord_series")
WATCHED = reverse("admin:z4j_django_conditionrecord_watched")


@pytest.fixture
def client() -> Client:
    return superuser()


def in_the_middle_of_a_minute(patch: pytest.MonkeyPatch) -> float:
    """Have it be half past some minute, and stay so."""
    now = timezone.now().replace(second=30)
    patch.setattr(timezone, "now", lambda: now)
    return now.timestamp()


def part(client: Client, name: str = "now", **query: str) -> str:
    return text(client.get(ROOM, {"part": name, **query}))


class TestHead:
    def test_it_says_which_project_where_and_of_what_release_this_is(
        self, client, settings, monkeypatch
    ) -> None:
        monkeypatch.setenv("SENTRY_ENVIRONMENT", "staging")
        commit = "0123456789" * 4
        Release.objects.create(
            project="shop", key=1, name=commit, first_seen=timezone.now(), last_seen=timezone.now()
        )
        settings.Z4J = {"PROJECT": "shop"}
        head = text(client.get(APP_INDEX)).partition("updated")[0].rpartition("Celery now")[2]
        assert re.findall(r"<bdi[^>]*>([^<]+)<", head) == ["shop", "staging", "01234567"]
        assert f'title="{commit}"' in head
        assert f"taskrecord/?q=release%3A{commit}" in head
        settings.Z4J = {"ENVIRONMENT": "production"}
        assert "<bdi>production</bdi>" in text(client.get(APP_INDEX))

    def test_where_nothing_is_known_of_it_it_says_nothing(self, client) -> None:
        shown = text(client.get(APP_INDEX))
        assert '<span class="z4j-where-it-is"></span>' in shown


class TestAttention:
    def test_a_condition_says_what_since_when_by_what_and_what_to_do(self, client) -> None:
        looked()
        condition()
        shown = text(client.get(APP_INDEX))
        assert "Needs attention" in shown
        assert "All slots held" in shown
        assert "All 2 slots of w1@web1 are held." in shown
        assert ">6 min</time>" in shown
        tasks = "/admin/z4j_django/taskrecord/?q=worker%3Aw1%40web1+state%3ASTARTED"
        assert f'href="{tasks}"' in shown
        assert "bulk/terminate/?q=worker%3Aw1%40web1+state%3ASTARTED" in shown
        assert "All quiet" not in shown

    def test_what_is_over_is_not_shown_and_says_since_when_all_is_quiet(self, client) -> None:
        looked()
        condition(ended_at=timezone.now() - timedelta(hours=3), is_open=None)
        shown = text(client.get(APP_INDEX))
        assert "All quiet since" in shown
        assert ">3 h ago</time>" in shown
        assert "All slots held" not in shown

    def test_it_leads_to_all_that_is_watched_with_the_thresholds(self, client, settings) -> None:
        looked()
        settings.Z4J = {"CONDITIONS": {"slots_held": {"after": 123}, "failing": False}}
        watched = len(registry.CONDITIONS) - 1
        assert f'<a href="{WATCHED}">{watched} things are watched</a>' in text(
            client.get(APP_INDEX)
        )
        shown = text(client.get(WATCHED))
        assert re.search(r"All slots held.*?<code>after</code> 123", shown, re.S)
        assert "switched off" in shown

    def test_the_worst_comes_first(self, client) -> None:
        looked()
        condition("worker_silent", "b", severity="warning")
        condition("slots_held", "a")
        shown = part(client)
        assert shown.index("All slots held") < shown.index("Worker silent")

    def test_more_than_fit_are_said_to_be_more(self, client) -> None:
        looked()
        for number in range(reading.CONDITIONS + 2):
            condition(subject=f"w{number}")
        shown = part(client)
        assert shown.count("z4j-is-critical") == reading.CONDITIONS
        assert f"{reading.CONDITIONS}+" in shown

    def test_a_remedy_calls_other_conditions_by_their_titles(self, client) -> None:
        looked()
        condition("queue_backing_up", "mail", evidence="412 messages wait.")
        shown = part(client)
        assert "“All slots held” and “Worker takes nothing” say so" in shown
        assert "slots_held" not in shown

    @pytest.mark.parametrize("ago", [None, 3600])
    def test_that_nobody_looks_is_not_taken_for_quiet(self, client, ago, monkeypatch) -> None:
        asked = first_page.alone(monkeypatch)
        if ago:
            looked(ago)
        shown = text(client.get(APP_INDEX))
        assert "All quiet" not in shown
        assert "Nobody has looked" in shown
        assert asked == ["default"]

    @pytest.mark.parametrize(
        ("ago", "words"), [(None, "Nobody has looked yet"), (3600, "Nobody looks any more")]
    )
    def test_what_is_on_record_says_how_old_it_is(self, client, ago, words) -> None:
        condition()
        if ago:
            looked(ago)
        shown = text(client.get(APP_INDEX))
        assert words in shown
        assert "this is as it was ." not in shown

    def test_where_somebody_looks_the_page_makes_no_round(self, client, monkeypatch) -> None:
        asked = first_page.alone(monkeypatch)
        looked()
        client.get(APP_INDEX)
        assert asked == []


class TestFigures:
    def test_they_say_how_much_goes_through(self, client, monkeypatch) -> None:
        now = in_the_middle_of_a_minute(monkeypatch)
        for minute in range(1, 61):
            counted(now - 60 * minute, sent=120, succeeded=110, failed=10, runs={1.0: 120})
            counted(now - 60 * (minute + 60), succeeded=118, failed=2)
        shown = part(client)
        assert re.search(r"Sent</span><span class=\"z4j-value\">120<", shown)
        assert re.search(r"Finished</span><span class=\"z4j-value\">120<", shown)
        assert re.search(r"Failed</span><span class=\"z4j-value\">600<", shown)
        assert "8.3 %" in shown
        assert 'aria-label="more: before: 1.7 %"' in shown

    def test_the_minute_that_goes_on_does_not_count(self, client, monkeypatch) -> None:
        counted(in_the_middle_of_a_minute(monkeypatch), sent=1000)
        assert re.search(r"Sent</span><span class=\"z4j-value\">0<", part(client))

    def test_running_is_told_of_all_slots_and_waiting_with_its_oldest(self, client) -> None:
        worker(concurrency=4)
        worker("w2@web1", online=False)
        running()
        sample(oldest_at=timezone.now() - timedelta(minutes=6))
        sample("shop", depth=3)
        shown = part(client)
        assert "of 4 slots" in shown
        assert re.search(r"Waiting</span><span class=\"z4j-value\">415<", shown)
        assert re.search(r"oldest <time[^>]*>6 min<", shown)

    def test_an_old_sample_is_none(self, client) -> None:
        sample(at=timezone.now() - timedelta(minutes=10))
        assert re.search(r"Waiting</span><span class=\"z4j-value\">-<", part(client))


class TestTables:
    def test_a_queue_that_waits_for_nobody_stands_out(self, client) -> None:
        sample(consumers=0)
        assert re.search(r'z4j-bad" data-label="consumers">0<', part(client))

    def test_a_broker_that_knows_no_consumers_is_helped_by_the_workers(self, client) -> None:
        worker()
        sample(consumers=None)
        assert 'data-label="consumers">1<' in part(client)

    def test_queues_lead_to_their_own_pages(self, client) -> None:
        sample("mail & more")
        assert f'href="{reverse("admin:z4j_django_operation_queue")}?queue=mail+%26+more"' in part(
            client
        )

    def test_schedules_lead_to_their_page(self, client, monkeypatch) -> None:
        scheduled(monkeypatch, "late")
        condition("schedule_overdue", "late")
        shown = part(client).partition('id="z4j-schedules"')[2]
        where = reverse("admin:z4j_django_taskrecord_schedules")
        for name in ("late", "report"):
            assert re.search(rf'<a href="{where}"><[^>]*title="{name}"', shown)

    def test_what_runs_long_is_compared_with_what_is_usual(self, client) -> None:
        counted(time.time() - 3600, "shop.import_catalogue", runs={40.0: 50})
        running(seconds=1080)
        shown = part(client)
        assert re.search(r'data-label="usual p95">\d\d s<', shown)
        assert re.search(r"z4j-bad\">\d\d times its p95!", shown)

    def test_our_own_tasks_take_slots_and_are_not_listed(self, client) -> None:
        worker()
        running(name="z4j_django.bulk")
        shown = part(client)
        assert "1/2" in shown
        assert "Nothing runs right now." in shown

    @pytest.mark.parametrize(
        ("seconds", "used", "word"),
        [(2, 0, "online"), (2, 2, "busy"), (300, 0, "silent"), (900, 0, "gone")],
    )
    def test_a_worker_says_how_it_is(self, client, seconds, used, word) -> None:
        worker(last_seen=timezone.now() - timedelta(seconds=seconds))
        for number in range(used):
            running(str(number))
        assert re.search(rf'z4j-pill [^>]*">{word}<', part(client))

    def test_workers_that_are_gone_are_not_listed(self, client) -> None:
        worker(last_seen=timezone.now() - timedelta(days=3))
        worker("w2@web1", online=False)
        assert "No worker is there." in part(client)

    def test_errors_of_the_last_hour_are_marked_new_and_regressed(self, client) -> None:
        now = timezone.now()
        error()
        error(fingerprint=8, first_seen=now - timedelta(minutes=5), exception_type="New")
        error(fingerprint=9, regressed_at=now, exception_type="Back")
        error(fingerprint=10, last_seen=now - timedelta(hours=2), exception_type="Past")
        error(fingerprint=11, state="ignored", exception_type="Ignored")
        shown = part(client)
        assert re.search(r"New<.*?>NEW<", shown, re.S)
        assert re.search(r"Back<.*?>REGRESSED<", shown, re.S)
        assert "Past" not in shown
        assert "Ignored" not in shown

    def test_failures_are_those_of_the_last_hour(self, client) -> None:
        now = timezone.now()
        seen = {"state": "FAILURE", "error": error().fingerprint}
        for minutes in (5, 50, 70):
            task(f"{minutes}", finished_at=now - timedelta(minutes=minutes), **seen)
        task("theirs", project="other", finished_at=now, **seen)
        assert re.search(r'data-label="count">2<', part(client))

    def test_of_very_many_failures_it_says_that_there_are_more(self, client, monkeypatch) -> None:
        monkeypatch.setattr(errors, "COUNTED", 2)
        seen = {"state": "FAILURE", "error": error().fingerprint, "finished_at": timezone.now()}
        for number in range(3):
            task(str(number), **seen)
        assert re.search(r'data-label="count">2\+<', part(client))

    def test_a_schedule_shows_how_its_last_runs_ended_and_when_it_comes(
        self, client, monkeypatch
    ) -> None:
        scheduled(monkeypatch, "tick", "late")
        ran("tick", "SUCCESS", "REVOKED", "FAILURE")
        ran("late", *["SUCCESS"] * 9)
        overdue("late", 2)
        shown = part(client).partition('id="z4j-schedules"')[2]
        late, tick = (
            shown.partition(f'title="{name}"')[2].partition("</tr>")[0] for name in ("late", "tick")
        )
        assert re.findall(r'aria-label="(\w+) [^"]*">(.)</a>', tick) == [
            ("SUCCESS", "✓"),
            ("REVOKED", "‒"),  # noqa: RUF001
            ("FAILURE", "✗"),
        ]
        assert ">in 60 min</time>" in tick or ">in 59 min</time>" in tick
        assert len(re.findall(r'aria-label="SUCCESS', late)) == 6
        assert "overdue for" in late

    def test_a_table_shows_some_and_says_how_many_there_are(self, client) -> None:
        for number in range(reading.ROWS + 4):
            worker(f"w{number}@web1")
            sample(f"queue-{number}")
        shown = part(client)
        assert shown.count("and 4 more") == 1
        assert "and 5 more" in shown  # with the queue that the workers take from

    def test_every_empty_table_says_what_it_means(self, client) -> None:
        shown = part(client)
        for words in (
            "No queue is known yet.",
            "Nothing runs right now.",
            "No worker is there.",
            "No task has failed in the last hour.",
        ):
            assert words in shown


class TestChart:
    def test_its_numbers_come_as_json_with_the_releases(self, client) -> None:
        counted(time.time() - 120, succeeded=5, failed=2, retried=1, revoked=3)
        Release.objects.create(
            key=1,
            name="4.12.0",
            first_seen=timezone.now() - timedelta(minutes=9),
            last_seen=timezone.now(),
        )
        found = json.loads(text(client.get(SERIES)))
        sums = {one["outcome"]: sum(one["values"]) for one in found["series"]}
        assert sums == {"finished": 5, "failed": 2, "retried": 1, "revoked": 3}
        assert found["step"] == 60
        assert [mark["label"] for mark in found["marks"]] == ["4.12.0"]

    @pytest.mark.parametrize("name", [*chart.RANGES, "<script>", ""])
    def test_every_range_is_told(self, client, name) -> None:
        counted(time.time() - 120, succeeded=5)
        found = json.loads(text(client.get(SERIES, {"range": name})))
        assert sum(found["series"][0]["values"]) == 5
        assert len(found["at"]) <= 400
        shown = text(client.get(APP_INDEX, {"range": name}))
        assert f"{SERIES}?range={name if name in chart.RANGES else '1h'}" in shown

    def test_a_table_says_the_same_without_scripts(self, client) -> None:
        counted(time.time() - 120, succeeded=1234)
        assert "<td>1,234</td>" in text(client.get(APP_INDEX))

    def test_what_a_browser_has_is_not_sent_again(self, client) -> None:
        counted(time.time() - 120, succeeded=5)
        first = client.get(SERIES)
        again = client.get(SERIES, headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304

    def test_a_refresh_leaves_the_chart_alone(self, client) -> None:
        assert "z4j-outcomes" in text(client.get(APP_INDEX))
        assert "z4j-outcomes" not in part(client)

    def test_that_a_worker_is_silent_for_longer_is_no_news(self, client, monkeypatch) -> None:
        looked()
        worker(last_seen=timezone.now() - timedelta(minutes=5))
        first = client.get(ROOM, {"part": "now"})
        fragments.forget()
        later = timezone.now() + timedelta(seconds=5)
        monkeypatch.setattr(timezone, "now", lambda: later)
        again = client.get(ROOM, {"part": "now"}, headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304


class TestCost:
    @pytest.mark.parametrize(
        ("address", "query"), [(APP_INDEX, {}), (ROOM, {"part": "now"}), (INDEX, {})]
    )
    def test_it_takes_a_dozen_queries_however_much_there_is(
        self, client, address, query, monkeypatch
    ) -> None:
        shop()
        scheduled(monkeypatch, "tick")
        ran("tick", "SUCCESS")
        for number in range(30):
            worker(f"many-{number}@web1")
            running(f"many-{number}", name=f"shop.task_{number}")
            sample(f"many-{number}")
            error(fingerprint=1000 + number)
            condition(subject=f"many-{number}")
        assert client.get(address, query).status_code == 200  # some is read once a minute
        fragments.forget()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address, query).status_code == 200
        asked = [one["sql"] for one in captured if "SAVEPOINT" not in one["sql"]]
        assert len(asked) <= 12, "\n".join(asked)

    def test_what_was_told_a_moment_ago_takes_but_those_for_the_user(self, client) -> None:
        shop()
        part(client)
        with CaptureQueriesContext(connection) as captured:
            part(client)
        assert len(captured) == 2

    def test_no_broker_is_asked(self, client, monkeypatch) -> None:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise AssertionError("the broker was asked")

        monkeypatch.setattr("kombu.Connection.connect", fail)
        monkeypatch.setattr("kombu.Connection.ensure_connection", fail)
        shop()
        assert "412" in text(client.get(APP_INDEX))
