"""The admin's pages of task types: all names, and one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from tests.integration import beat, operators
from tests.integration.counted import counted
from tests.integration.operators import signed_in
from tests.integration.pages import SCRIPT, superuser, text
from z4j_django import permissions
from z4j_django.models import ErrorGroup, Release, Statistic, TaskRecord
from z4j_django.values import OTHER, release_key

pytestmark = pytest.mark.django_db

TYPES = reverse("admin:z4j_django_taskrecord_types")
TYPE = reverse("admin:z4j_django_taskrecord_type")
#: Queries of a page, at most.
QUERIES = 12
HOSTILE = f"{SCRIPT}\u202e🛒'\"&{{{{ 7|add:7 }}}}*,:"


def names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row["name"] for row in response.context["rows"]]


def words_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def of(name: str, **query: str) -> str:
    return f"{TYPE}?{urlencode({'name': name, **query})}"


def queries(client: Client, where: str) -> int:
    client.get(where)  # content types and the like are kept
    with CaptureQueriesContext(connection) as captured:
        assert client.get(where).status_code == 200
    return len(captured)


def plant() -> None:
    """Three names: one that is busy, one that fails, one that is slow; and an hour before."""
    now = time.time()
    busy = {"started": 120, "succeeded": 117, "failed": 3, "sent": 120}
    counted(now - 60, "shop.busy", "mail", runs={0.1: 120}, waits={0.2: 120}, **busy)
    counted(now - 60, "shop.busy", "bulk", started=30, succeeded=30, runs={0.4: 30})
    counted(now - 60, "shop.fails", started=10, succeeded=6, failed=4, runs={0.01: 10})
    counted(now - 3700, "shop.fails", started=10, succeeded=10)
    counted(now - 3700, "shop.busy", started=10, succeeded=10)
    counted(now - 60, "shop.slow", started=2, succeeded=2, runs={90.0: 2})
    for number in range(3):
        waits = {"state": "PENDING", "name": "shop.waits", "sent_at": timezone.now()}
        TaskRecord.objects.create(task_id=f"w{number}", **waits)
    TaskRecord.objects.create(task_id="r", state="STARTED", name="shop.slow")
    TaskRecord.objects.filter(task_id="r").update(started_at=timezone.now(), sent_at=timezone.now())
    own = {"state": "PENDING", "name": "z4j_django.bulk", "sent_at": timezone.now()}
    TaskRecord.objects.create(task_id="ours", **own)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["busy", "fails", "slow", "waits"]),
        ("?o=name", ["busy", "fails", "slow", "waits"]),
        ("?o=failed", ["fails", "busy", "slow", "waits"]),
        ("?o=failure_share", ["fails", "busy", "slow", "waits"]),
        ("?o=p95", ["slow", "busy", "fails", "waits"]),
        ("?o=waiting", ["waits", "busy", "fails", "slow"]),
        ("?o=running", ["slow", "busy", "fails", "waits"]),
        ("?range=24h", ["busy", "fails", "slow", "waits"]),
        ("?range=7d", ["busy", "fails", "slow", "waits"]),
        ("?range=90d", ["busy", "fails", "slow", "waits"]),
        ("?q=.S", ["slow"]),
        ("?q=nothing", []),
        ("?project=other", []),
        ("?from=3", ["waits"]),
        ("?o=x&range=y&from=z&q=%00", ["busy", "fails", "slow", "waits"]),
    ],
)
def test_the_list_is_narrowed_and_ordered(query: str, found: list[str]) -> None:
    plant()
    assert names(superuser().get(f"{TYPES}{query}")) == [f"shop.{one}" for one in found]


def test_the_list_says_of_each_what_one_wants_to_know() -> None:
    plant()
    rows = {row["name"]: row for row in superuser().get(TYPES).context["rows"]}
    assert rows["shop.busy"]["counters"]["started"] == 150
    assert rows["shop.busy"]["rate"] == "2.5/min"
    fails = rows["shop.fails"]
    assert (words_of(fails["share"]), fails["before"]) == ("40 % ▲", "0 %")
    assert rows["shop.slow"]["run"]["p95"] == "1m 31s"
    assert rows["shop.slow"]["running"] == 1
    assert (rows["shop.waits"]["waiting"], words_of(rows["shop.waits"]["share"])) == (3, "-")
    assert words_of(rows["shop.busy"]["share"]) == "2.0 % ▲"


@pytest.mark.parametrize("order", ["started", "p95"])
def test_what_is_read_for_an_order_is_counted_once(order: str) -> None:
    plant()
    (row,) = superuser().get(f"{TYPES}?o={order}&q=slow").context["rows"]
    assert sum(row["counters"].values()) == 4
    assert superuser_again(f"{TYPES}?o={order}&q=fails")["before"] == "0 %"


def superuser_again(where: str) -> dict[str, Any]:
    client = Client()
    client.force_login(operators.User.objects.get(username="root"))
    (row,) = client.get(where).context["rows"]
    return dict(row)


def test_ten_thousand_names_are_pages_of_two_thousand_and_all_others() -> None:
    at = int(time.time()) // 60 * 60 - 60
    place = {"step": 60, "scope": "names", "at": at, "queue": "mail"}
    Statistic.objects.bulk_create(
        Statistic(name=f"shop.task_{number:05}", started=1, **place) for number in range(2_000)
    )
    Statistic.objects.create(name=OTHER, started=8_000, **place)
    client = superuser()
    response = client.get(TYPES)
    assert (response.context["total"], len(names(response))) == (2_001, 50)
    assert response.context["rows"][0]["url"] is None  # of all others there is no page
    seen = names(response)
    while following := response.context["next_url"]:
        response = client.get(f"{TYPES}{following}")
        seen += names(response)
    assert len(set(seen)) == len(seen) == 2_001
    assert names(client.get(f"{TYPES}{response.context['previous_url']}")) == seen[1950:2000]
    assert queries(client, f"{TYPES}?o=p95") <= QUERIES


def test_the_page_of_a_name_says_how_often_how_long_and_from_where() -> None:
    plant()
    context = superuser().get(of("shop.busy")).context
    assert (context["rate"], words_of(context["share"])) == ("2.5/min", "2.0 % ▲")
    assert [one["queue"] for one in context["queues"]] == ["mail", "bulk"]
    series = context["series"]
    assert sum(series["series"][0]["values"]) == 147
    assert {len(one["values"]) for one in series["series"]} == {len(series["at"])}
    runs, waits = context["runs_histogram"], context["waits_histogram"]
    assert (runs["values"][0], runs["values"][-1], sum(runs["values"])) == (120, 30, 150)
    assert (runs["first"], runs["last"], runs["count"]) == ("128 ms", "512 ms", "150")
    assert sum(waits["values"]) == 120


def test_its_charts_are_numbers_with_the_releases_of_the_time() -> None:
    plant()
    now = timezone.now()
    for name, at in (("shop 7", now - timedelta(days=9)), ("shop 8", now - timedelta(minutes=20))):
        Release.objects.create(key=release_key(name), name=name, first_seen=at, last_seen=at)
    client = superuser()
    charts = client.get(of("shop.busy")).context["charts"]
    outcomes = client.get(f"{TYPE}{charts['outcomes']}")
    numbers = outcomes.json()
    assert [(one["outcome"], sum(one["values"])) for one in numbers["series"]] == [
        ("finished", 147),
        ("failed", 3),
        ("retried", 0),
        ("revoked", 0),
    ]
    assert [one["label"] for one in numbers["marks"]] == ["shop 8"]
    known = {"If-None-Match": outcomes.headers["ETag"]}
    assert client.get(f"{TYPE}{charts['outcomes']}", headers=known).status_code == 304
    runtimes = client.get(f"{TYPE}{charts['runtimes']}").json()
    assert runtimes["unit"] == "s"
    assert max(filter(None, runtimes["series"][1]["values"])) > 0.3
    assert signed_in("staff").get(f"{TYPE}{charts['outcomes']}").status_code == 403


def test_the_page_of_a_name_lists_its_errors_its_slowest_runs_and_what_runs() -> None:
    plant()
    now = timezone.now()
    for key, name in ((1, "shop.slow"), (2, "shop.busy")):
        ErrorGroup.objects.create(
            fingerprint=key, name=name, exception_type=f"E{key}", first_seen=now, last_seen=now
        )
    for number, runtime in enumerate((3.0, 9.0, None, 1.0)):
        made = {"name": "shop.slow", "state": "SUCCESS"}
        TaskRecord.objects.create(task_id=f"s{number}", runtime=runtime, **made)
    TaskRecord.objects.create(
        task_id="x", name="shop.slow", state="SUCCESS", runtime=99.0, project="other"
    )
    response = superuser().get(of("shop.slow"))
    assert [one["title"] for one in response.context["errors"]] == ["E1"]
    assert [one["runtime"] for one in response.context["runs"]] == ["9.00 s", "3.00 s", "1.00 s"]
    assert (response.context["running"], response.context["waiting"]) == (1, 0)


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tables of django-celery-beat, for this module alone."""
    with beat.tables(django_db_blocker):
        yield


@pytest.fixture
def _installed(_tables: None, db: None) -> Iterator[None]:
    with beat.installed():
        yield


@pytest.mark.usefixtures("_installed")
def test_the_page_of_a_name_lists_the_schedules_that_send_it() -> None:
    plant()
    for number, kind in enumerate(("interval", "crontab", "")):
        beat.schedule(f"entry {number}", kind, task="shop.busy")
    beat.schedule("another", "interval", task="shop.slow")
    beat.schedule(SCRIPT, "interval", task="shop.busy")
    response = superuser().get(of("shop.busy"))
    found = response.context["schedules"]
    assert [(one["name"], one["words"]) for one in found][1:] == [
        ("entry 0", "every 90 seconds"),
        ("entry 1", str(found[2]["words"])),
        ("entry 2", ""),
    ]
    assert SCRIPT not in text(response)
    assert "entry 1" in text(response)
    context = signed_in("z4j viewer").get(of("shop.busy")).context
    assert "schedules" not in context  # they are another app's, with its own permission
    assert queries(signed_in("superuser"), of("shop.busy")) <= QUERIES


@pytest.mark.parametrize(
    "given", ["", "?name=", "?name=shop.never", "?name=" + "x" * 256, "?name=%00"]
)
def test_a_name_that_was_never_counted_is_not_found(given: str) -> None:
    assert superuser().get(f"{TYPE}{given}").status_code == 404


def test_a_name_of_which_nothing_happened_lately_has_its_page() -> None:
    counted(timezone.now() - timedelta(days=20), "shop.rare", started=1, succeeded=1)
    client = superuser()
    assert client.get(of("shop.rare")).context["rate"] == "0"
    assert client.get(of("shop.rare", range="30d")).context["rate"] == "0.0/d"
    assert names(client.get(TYPES)) == []


def test_hostile_names_are_text() -> None:
    name = HOSTILE + "x" * (255 - len(HOSTILE))
    counted(time.time() - 60, name, HOSTILE, started=1, succeeded=1, runs={1.0: 1}, waits={1.0: 1})
    TaskRecord.objects.create(
        task_id=HOSTILE, name=name, queue=HOSTILE, worker=HOSTILE, runtime=1.0, state="FAILURE"
    )
    now = timezone.now()
    ErrorGroup.objects.create(
        fingerprint=1,
        name=name,
        exception_type=HOSTILE,
        message=HOSTILE,
        first_seen=now,
        last_seen=now,
    )
    client = superuser()
    for where in (TYPES, f"{TYPES}?{urlencode({'q': HOSTILE[:30]})}", of(name)):
        shown = text(client.get(where))
        assert SCRIPT not in shown
        assert "&lt;script&gt;" in shown
        assert "{{ 7|add:7 }}" in shown


@pytest.mark.parametrize("who", operators.WHO)
def test_who_sees_tasks_sees_their_types(who: str) -> None:
    plant()
    client = signed_in(who)
    sees = 200 if who in (*permissions.ROLES, "superuser") else 403 if who == "staff" else 302
    for where in (TYPES, of("shop.busy")):
        assert client.get(where).status_code == sees
        assert client.post(where).status_code in (405, sees)


def test_errors_want_their_own_permission() -> None:
    plant()
    client = signed_in("staff")
    operators.grant(operators.User.objects.get(username="staff"), "view_taskrecord")
    assert "errors" not in client.get(of("shop.busy")).context


def test_pages_ask_few_queries_and_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("A page asked the broker.")

    monkeypatch.setattr("kombu.Connection._ensure_connection", never)
    monkeypatch.setattr("kombu.Connection.connect", never)
    plant()
    user = signed_in("z4j operator")
    for order in ("started", "p95", "waiting"):
        assert queries(user, f"{TYPES}?o={order}") <= QUERIES
    assert queries(user, of("shop.busy")) <= QUERIES
