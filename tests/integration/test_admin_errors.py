"""The admin's pages of errors: the list, one error, and what may be said of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.integration import operators
from tests.integration.counted import counted
from tests.integration.error_records import group, hours, seen_in
from tests.integration.operators import address, signed_in
from tests.integration.pages import SCRIPT, superuser, text
from z4j_django import permissions
from z4j_django.models import (
    ErrorGroup,
    Operation,
    TaskRecord,
)

pytestmark = pytest.mark.django_db

ERRORS = reverse("admin:z4j_django_errorgroup_changelist")
#: Queries of a page, at most.
QUERIES = 12
HOSTILE = f"{SCRIPT}\u202e🛒'\"&{{{{ 7|add:7 }}}}"
TRACEBACK = """Traceback (most recent call last):
  File "/app/.venv/lib/python3.13/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/app/shop/tasks.py", line 82, in charge_card
    pay.charge(order)
  File "/app/.venv/lib/python3.13/site-packages/stripe/api.py", line 9, in charge
    raise Declined
  File "/usr/lib/python3.13/json/decoder.py", line 9, in decode
    raise
shop.CardDeclined: card ending in 4242
"""


def ids(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row["error"].message for row in response.context["rows"]]


def page_of(error: ErrorGroup) -> str:
    return reverse("admin:z4j_django_errorgroup_change", args=[error.error_id])


def queries(client: Client, where: str) -> int:
    client.get(where)  # content types and the like are kept
    with CaptureQueriesContext(connection) as captured:
        assert client.get(where).status_code == 200
    return len(captured)


@pytest.fixture
def several() -> list[ErrorGroup]:
    """One of each kind: as it was, new, regressed, resolved, ignored."""
    now = timezone.now()
    return [
        group(1),
        group(2, first_seen=now - timedelta(hours=1), name="shop.mail"),
        group(3, regressed_at=now, exception_type="TimeoutError"),
        group(4, state="resolved"),
        group(5, state="ignored"),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("?state=open", [1, 2, 3]),
        ("?state=new", [2]),
        ("?state=regressed", [3]),
        ("?state=resolved", [4]),
        ("?state=ignored", [5]),
        ("?state=all", [1, 2, 3, 4, 5]),
        ("?state=all&o=-count", [5, 4, 3, 2, 1]),
        ("?o=-first_seen", [2, 3, 1]),
        ("?name=shop.m", [2]),
        ("?q=timeout", [3]),
        ("?q=card 2", [2]),
        ("?q=nothing", []),
        ("?release=shop 7", [1]),
        ("?release=nobody's", []),
        ("?project=other", []),
        ("?from=2", [3]),
        ("?from=9", []),
        ("?state=x&o=y&from=z&q=%00&release=" + "r" * 101, [1, 2, 3]),
    ],
)
def test_the_list_is_narrowed_and_ordered(
    several: list[ErrorGroup], query: str, found: list[int]
) -> None:
    seen_in(several[0], "shop 7", 1)
    assert ids(superuser().get(f"{ERRORS}{query}")) == [f"card {one} was declined" for one in found]


def test_the_list_says_of_each_what_one_wants_to_know(several: list[ErrorGroup]) -> None:
    seen_in(several[1], "shop 7", 2, days=3)
    seen_in(several[1], "shop 8", 3, days=1)
    seen_in(several[1], "", 1)
    hours(several[1], 3, 0, 2, *[0] * 20, 7, 99)
    response = superuser().get(ERRORS)
    row = response.context["rows"][1]
    assert (row["standing"], row["day_count"], row["line"][0]) == ("new", 12, 7)
    assert row["line"][-3:] == [2, 0, 3]
    assert (row["release"], row["more_releases"]) == ("shop 8", 1)
    assert [row["standing"] for row in response.context["rows"]] == ["open", "new", "regressed"]
    tabs = {str(tab["label"]): tab["count"] for tab in response.context["tabs"]}
    assert tabs == {
        "Open": 3, "New": 1, "Regressed": 1, "Resolved": 1, "Ignored": 1, "All": 5
    }  # fmt: skip
    shown = text(response)
    assert page_of(several[1]) in shown
    for said in ("shop.CardDeclined", "card 2 was declined", "shop.mail", "shop 8"):
        assert said in shown


def test_the_list_has_pages(several: list[ErrorGroup]) -> None:
    for number in range(10, 110):
        group(number)
    client = superuser()
    first = client.get(ERRORS)
    assert len(ids(first)) == 50
    second = client.get(f"{ERRORS}{first.context['next_url']}")
    third = client.get(f"{ERRORS}{second.context['next_url']}")
    everything = [*ids(first), *ids(second), *ids(third)]
    assert len(everything) == len(set(everything)) == 103
    assert third.context["next_url"] == ""
    assert ids(client.get(f"{ERRORS}{third.context['previous_url']}")) == ids(second)
    assert ids(client.get(f"{ERRORS}{second.context['previous_url']}")) == ids(first)


@pytest.fixture
def error(monkeypatch: pytest.MonkeyPatch) -> ErrorGroup:
    """One with three tasks: of one no message is kept, one was retried and has succeeded."""
    operators.broker_in_memory(monkeypatch)
    found = group(7, first_seen=timezone.now(), traceback=TRACEBACK)
    for task_id in ("a", "b"):
        operators.kept(task_id, error=7, name="shop.charge_card")
    made = {"name": "shop.charge_card", "state": "FAILURE", "error": 7}
    TaskRecord.objects.create(task_id="c", **made)
    TaskRecord.objects.create(task_id="b2", name="shop.charge_card", state="SUCCESS", retry_of="b")
    TaskRecord.objects.create(task_id="theirs", **{**made, "project": "other"})
    seen_in(found, "shop 7", 2, days=3)
    seen_in(found, "", 1, days=1)
    hours(found, 1, 2, *[0] * 30, 4)
    return found


def test_the_page_of_an_error_says_what_when_where_and_how_often(error: ErrorGroup) -> None:
    response = superuser().get(page_of(error))
    context = response.context
    assert (context["standing"], context["day_count"], context["month_count"]) == ("new", 3, 7)
    assert (len(context["day"]), len(context["month"])) == (24, 30)
    assert sum(context["month"]) == 7
    assert [(one["name"], one["count"]) for one in context["releases"]] == [
        ("", "1"),
        ("shop 7", "2"),
    ]
    shown = text(response)
    for said in ("shop.CardDeclined", "shop.charge_card", "card 7 was declined", "shop 7"):
        assert said in shown


def test_the_projects_own_frames_stand_out_and_libraries_are_folded(error: ErrorGroup) -> None:
    shown = text(superuser().get(page_of(error)))
    folded = re.findall(r"<details.*?</details>", shown, re.DOTALL)
    libraries = [one for one in folded if "site-packages" in one]
    assert len(libraries) == 2
    assert "1 frame of libraries" in libraries[0]
    assert "2 frames of libraries" in libraries[1]
    assert not any("charge_card" in one.split("</summary>")[1] for one in libraries)
    assert "line 82, in charge_card" in shown


def test_it_lists_its_tasks_and_says_honestly_how_many_can_be_retried(error: ErrorGroup) -> None:
    response = superuser().get(page_of(error))
    tally = response.context["tally"]
    assert (tally.willing, tally.recovered) == (1, 1)
    assert tally.refused == {"retried already": 1, "without its message, which was not kept": 1}
    assert response.context["retry"].label == "Retry 1…"
    shown = text(response)
    assert f"q=error%3A{error.error_id}" in shown
    assert len(response.context["tasks"]) == 3


def test_the_retry_previews_the_same_numbers_with_the_reasons(error: ErrorGroup) -> None:
    client = superuser()
    button = client.get(page_of(error)).context["retry"]
    shown = text(client.get(button.url))
    assert "3 tasks match" in shown
    assert "1 will be acted on, 2 refused" in shown
    assert "1 retried already" in shown
    assert "1 without its message, which was not kept" in shown


def test_each_verb_is_said_of_an_error_from_its_page(error: ErrorGroup) -> None:
    client = superuser()
    for verb, state in (
        ("resolve_errors", "resolved"),
        ("reopen_errors", "open"),
        ("ignore_errors", "ignored"),
    ):
        offered = client.get(page_of(error)).context["verbs"]
        urls = {one["verb"].name: one["url"] for one in offered}
        answer = client.post(urls[verb])
        assert answer.headers["Location"] == page_of(error)
        error.refresh_from_db()
        assert error.state == state
    words = [one["verb"].name for one in client.get(page_of(error)).context["verbs"]]
    assert words == ["resolve_errors", "ignore_errors", "reopen_errors"]
    assert [one.verb for one in Operation.objects.order_by("id")] == [
        "resolve_errors",
        "reopen_errors",
        "ignore_errors",
    ]


def test_several_are_resolved_from_the_list(several: list[ErrorGroup]) -> None:
    client = superuser()
    chosen = "?" + "&".join(f"id={one.error_id}" for one in several)
    asked = client.get(f"{address('errorgroup_resolve_errors')}{chosen}")
    assert "Resolve 5 errors" in text(asked)
    answer = client.post(f"{address('errorgroup_resolve_errors')}{chosen}", {"release": "shop 9"})
    assert answer.headers["Location"] == ERRORS
    assert set(ErrorGroup.objects.values_list("state", flat=True)) == {"resolved"}
    targets = Operation.objects.get().targets
    assert targets.filter(outcome="done").count() == 4
    assert "4 done, 1 refused" in text(client.get(ERRORS))


def test_what_is_wrong_with_an_option_stands_beside_it(error: ErrorGroup) -> None:
    where = f"{address('errorgroup_ignore_errors')}?id={error.error_id}"
    shown = text(superuser().post(where, {"more": "0"}))
    assert "errorlist" in shown
    assert not Operation.objects.exists()


@pytest.mark.parametrize("given", ["", "?id=x", "?id=8888888888888888", "?id=1"])
def test_of_none_nothing_is_said(error: ErrorGroup, given: str) -> None:
    answer = superuser().post(f"{address('errorgroup_resolve_errors')}{given}")
    assert answer.headers["Location"] == ERRORS
    assert not Operation.objects.exists()


def test_what_its_failures_have_in_common_is_read_when_it_is_wanted(error: ErrorGroup) -> None:
    for number in range(20):
        fails = number % 2 == 0
        TaskRecord.objects.create(
            task_id=f"n{number}",
            name="shop.charge_card",
            state="FAILURE" if fails else "SUCCESS",
            error=7 if fails else None,
            queue="acme's" if fails else "mail",
        )
    client = superuser()
    shown = text(client.get(client.get(page_of(error)).context["common_url"]))
    assert "acme&#x27;s" in shown
    facts = [
        str(one["fact"]) for one in client.get(f"{page_of(error)[:-7]}common/").context["facts"]
    ]
    assert facts[0].startswith("queue = acme's:")


def test_an_error_of_another_project_is_shown_too() -> None:
    shown = text(superuser().get(page_of(group(8, project="other"))))
    assert "card 8 was declined" in shown


@pytest.mark.parametrize("given", ["8" * 16, "x", "1", "0" * 400])
def test_where_there_is_none_the_list_says_so(given: str) -> None:
    client = superuser()
    where = reverse("admin:z4j_django_errorgroup_change", args=[given])
    assert client.get(where).headers["Location"] == ERRORS
    assert client.get(f"{where[:-7]}common/").status_code == 404


def test_hostile_texts_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    operators.broker_in_memory(monkeypatch)
    found = group(
        9,
        name=HOSTILE + "x" * 200,
        exception_type=HOSTILE,
        message=HOSTILE * 100,
        traceback=f'  File "{SCRIPT}", line 1, in {SCRIPT}\n    {SCRIPT}\n{SCRIPT}: {SCRIPT}\n',
        resolved_in=HOSTILE,
        resolved_at=timezone.now(),
    )
    seen_in(found, HOSTILE, 3)
    operators.kept(HOSTILE, error=9, name=HOSTILE, queue=HOSTILE, worker=HOSTILE)
    client = superuser()
    for where in (
        ERRORS,
        f"{ERRORS}?q={HOSTILE[:40]}&name={SCRIPT}&release={SCRIPT}",
        page_of(found),
        f"{page_of(found)[:-7]}common/",
        f"{address('errorgroup_resolve_errors')}?id={found.error_id}",
    ):
        shown = text(client.get(where))
        assert SCRIPT not in shown
        assert "&lt;script&gt;" in shown
        assert "{{ 7|add:7 }}" in shown or "common" in where


class TestPermissions:
    @pytest.mark.parametrize("who", operators.WHO)
    def test_who_sees_and_who_says(self, error: ErrorGroup, who: str) -> None:
        client = signed_in(who)
        sees = 200 if who in (*permissions.ROLES, "superuser") else 403 if who == "staff" else 302
        says = {200: 302, 403: 403, 302: 302}[sees] if who != "z4j viewer" else 403
        for where in (ERRORS, page_of(error), f"{page_of(error)[:-7]}common/"):
            assert client.get(where).status_code == sees, where
        for verb in ("resolve_errors", "reopen_errors", "ignore_errors"):
            where = f"{address(f'errorgroup_{verb}')}?id={error.error_id}"
            assert client.post(where).status_code == says, verb
        done = who in ("z4j operator", "z4j admin", "superuser")
        assert Operation.objects.exists() == done

    def test_buttons_are_for_those_who_may(self, error: ErrorGroup) -> None:
        context = signed_in("z4j viewer").get(page_of(error)).context
        assert (context["verbs"], context["retry"]) == ([], None)
        assert signed_in("z4j operator").get(page_of(error)).context["retry"].url

    def test_tasks_want_their_own_permission(self, error: ErrorGroup) -> None:
        client = signed_in("staff")
        user = operators.User.objects.get(username="staff")
        operators.grant(user, "view_errorgroup")
        response = client.get(page_of(error))
        assert "shows_tasks" not in response.context
        assert "retry" not in response.context
        assert client.get(f"{page_of(error)[:-7]}common/").status_code == 404


class TestQueries:
    """However much there is on record, and for whom permissions are looked up."""

    @pytest.fixture
    def operator(self, error: ErrorGroup) -> Client:
        for number in range(20, 90):
            one = group(number)
            seen_in(one, f"shop {number % 7}", 1)
            hours(one, 1)
        for number in range(60):
            operators.kept(f"k{number}", error=7)
        return signed_in("z4j operator")

    def test_the_list(self, operator: Client) -> None:
        assert queries(operator, ERRORS) <= QUERIES

    def test_the_page_of_an_error(self, operator: Client, error: ErrorGroup) -> None:
        assert queries(operator, page_of(error)) <= QUERIES

    def test_the_preview_of_a_retry(self, operator: Client, error: ErrorGroup) -> None:
        """Where several projects share the tables, there are two more to tell them apart."""
        TaskRecord.objects.filter(project="other").delete()
        button = operator.get(page_of(error)).context["retry"]
        assert queries(operator, button.url) <= QUERIES

    def test_what_its_failures_have_in_common(self, operator: Client, error: ErrorGroup) -> None:
        for number in range(400):
            TaskRecord.objects.create(
                task_id=f"s{number}", name="shop.charge_card", state="SUCCESS", args=[number]
            )
        assert queries(operator, f"{page_of(error)[:-7]}common/") <= QUERIES


def test_no_page_asks_a_broker(error: ErrorGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("A page asked the broker.")

    monkeypatch.setattr("kombu.Connection._ensure_connection", never)
    monkeypatch.setattr("kombu.Connection.connect", never)
    counted(timezone.now(), failed=1)
    client = superuser()
    for where in (ERRORS, page_of(error), f"{page_of(error)[:-7]}common/"):
        assert client.get(where).status_code == 200
