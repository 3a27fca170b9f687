"""Parts of a page that refresh: alone or in their page, told once to all with the same rights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from z4j_django.admin import formatting, fragments
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.models import QueueSample, TaskRecord

pytestmark = pytest.mark.django_db


class Names(Page):
    """Shows a fact, and counts how often it was asked for it."""

    asked = 0
    fact: Any = "a fact"

    def parts(self) -> dict[str, Part]:
        return {"facts": Part("admin/z4j_django/facts.html", self._facts)}

    def context(self) -> dict[str, Any]:
        return {"title": "Names"}

    def _facts(self) -> dict[str, Any]:
        type(self).asked += 1
        return {"facts": [{"label": "It is", "value": type(self).fact}]}


@pytest.fixture
def names() -> type[Names]:
    return type("Names", (Names,), {"asked": 0})


def viewer(name: str = "viewer", *codenames: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    wanted = codenames or ("view_taskrecord",)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    return user


def get(page: type[Page], user: User, query: str = "", **headers: str) -> Any:
    request = RequestFactory().get(f"/admin/names/?{query}", headers=headers)
    request.user = user
    request.resolver_match = None
    view = page.as_view(model_admin=admin.site.get_model_admin(TaskRecord))
    response = view(request)
    return response.render() if hasattr(response, "render") else response


def test_a_page_has_its_parts_and_says_where_each_is_to_be_had(names) -> None:
    page = get(names, viewer(), "range=1h").content.decode()
    assert "a fact" in page
    assert 'data-hx-get="/admin/names/?range=1h&amp;part=facts"' in page
    assert 'data-hx-trigger="every 5s, z4jnow"' in page


def test_a_part_comes_alone(names) -> None:
    part = get(names, viewer(), "part=facts").content.decode()
    assert "a fact" in part
    assert "<html" not in part


def test_a_part_that_is_not_there_is_the_page(names) -> None:
    assert "<html" in get(names, viewer(), "part=<script>").content.decode()


def test_what_a_browser_has_already_is_not_sent_again(names) -> None:
    user = viewer()
    first = get(names, user, "part=facts")
    again = get(names, user, "part=facts", **{"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert again["Cache-Control"] == "private, no-cache"
    fragments.forget()
    names.fact = "another"
    changed = get(names, user, "part=facts", **{"If-None-Match": first["ETag"]})
    assert changed.status_code == 200


def test_that_time_goes_by_is_no_change(names) -> None:
    user, then = viewer(), timezone.now() - timedelta(minutes=5)
    names.fact = formatting.moment(then)
    first = get(names, user, "part=facts")
    fragments.forget()
    names.fact = formatting.moment(then, timezone.now() + timedelta(minutes=1))
    again = get(names, user, "part=facts", **{"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_users_with_the_same_rights_are_told_the_same(names) -> None:
    for name in ("one", "other"):
        get(names, viewer(name), "part=facts")
    assert names.asked == 1


@pytest.mark.parametrize("right", ["view_workerrecord", "retry_task"])
def test_whoever_may_see_or_do_more_is_told_apart(names, right) -> None:
    get(names, viewer("one"), "part=facts")
    get(names, viewer("other", "view_taskrecord", right), "part=facts")
    assert names.asked == 2


def test_another_query_language_or_zone_is_told_apart(names) -> None:
    user = viewer()
    get(names, user, "part=facts")
    get(names, user, "part=facts&range=7d")
    with timezone.override("Asia/Kolkata"):
        get(names, user, "part=facts")
    assert names.asked == 3


def test_a_page_is_never_old_and_what_it_told_is_told_to_who_asks_next(names) -> None:
    user = viewer()
    get(names, user)
    names.fact = "another"
    assert "a fact" in get(names, user, "part=facts").content.decode()
    assert "another" in get(names, user).content.decode()
    assert "another" in get(names, user, "part=facts").content.decode()


def test_after_some_seconds_it_is_asked_for_anew(names, monkeypatch) -> None:
    user = viewer()
    get(names, user, "part=facts")
    monkeypatch.setattr(fragments, "SHARED", 0.0)
    get(names, user, "part=facts")
    assert names.asked == 2


def test_while_one_asks_anew_the_others_are_told_what_was(monkeypatch) -> None:
    moment = [100.0]
    monkeypatch.setattr(fragments.time, "monotonic", lambda: moment[0])
    request = RequestFactory().get("/admin/names/")
    request.user = viewer()

    def told(make: Any) -> str:
        return fragments.told(request, "facts", make)

    def failing() -> str:
        raise LookupError

    assert told(lambda: "old") == "old"
    moment[0] += fragments.SHARED + 0.5
    assert told(lambda: f"new, not {told(lambda: 'newer')}") == "new, not old"
    moment[0] += fragments.SHARED + 0.5
    with pytest.raises(LookupError):
        told(failing)
    assert told(lambda: "newest") == "newest"
    moment[0] += 2 * fragments.SHARED
    assert told(lambda: told(lambda: "too late")) == "too late"


def test_no_more_is_remembered_than_there_is_room_for(names, monkeypatch) -> None:
    user = viewer()
    monkeypatch.setattr(fragments, "_MOST", 3)
    for number in range(10):
        get(names, user, f"part=facts&n={number}")
    assert len(fragments._kept) == 3


@pytest.mark.parametrize("query", ["", "part=facts"])
def test_without_the_permission_there_is_neither(names, query) -> None:
    with pytest.raises(PermissionDenied):
        get(names, viewer("clerk", "view_workerrecord"), query)
    assert names.asked == 0


class TestUnchanged:
    """Who was told a moment ago what is so still is told that, and not asked who they are."""

    @pytest.fixture
    def clock(self, monkeypatch) -> list[float]:
        moment = [1_000.0]
        monkeypatch.setattr(fragments.time, "monotonic", lambda: moment[0])
        fragments.forget()
        return moment

    @pytest.fixture
    def asked(self, clock) -> Any:
        """Asks for the table of queues as a browser does: with the ETag it was given last."""
        user = viewer("viewer", "view_operation")
        client, tags = Client(), [""]
        client.force_login(user)
        address = reverse("admin:z4j_django_operation_queues")

        def ask(*, queries: int | None = None, **more: Any) -> int:
            headers = {"If-None-Match": tags[0]} if tags[0] else {}
            with CaptureQueriesContext(connection) as captured:
                response = client.get(address, {"part": "table"}, headers={**headers, **more})
            tags[0] = response.headers.get("ETag", tags[0])
            assert queries is None or len(captured) == queries
            return response.status_code

        ask.client, ask.user, ask.tags = client, user, tags
        return ask

    def test_it_takes_no_query(self, asked) -> None:
        assert asked() == 200
        assert asked(queries=0) == 304

    def test_what_is_told_no_more_is_looked_at_anew(self, asked, clock) -> None:
        asked()
        clock[0] += fragments.SHARED
        assert asked() == 304
        QueueSample.objects.create(queue="mail", at=timezone.now(), depth=7)
        clock[0] += fragments.SHARED
        assert asked() == 200

    def test_after_half_a_minute_it_is_asked_who_they_are(self, asked, clock) -> None:
        asked()
        asked.user.user_permissions.clear()
        assert asked(queries=0) == 304
        clock[0] += fragments.ASKED_AGAIN
        assert asked() == 403

    @pytest.mark.parametrize("change", ["cookie", "language", "tag"])
    def test_whoever_differs_is_asked_at_once(self, asked, change) -> None:
        asked()
        asked.user.user_permissions.clear()
        more = {}
        if change == "cookie":
            asked.client.cookies["another"] = "1"
        elif change == "language":
            more = {"Accept-Language": "de"}
        else:
            asked.tags[0] = 'W/"another"'
        assert asked(**more) == 403

    def test_without_a_session_nobody_is_known(self, asked) -> None:
        asked()
        asked.client.cookies.clear()
        assert asked() == 302

    def test_no_more_are_remembered_than_there_is_room_for(self, asked, monkeypatch) -> None:
        monkeypatch.setattr(fragments, "_MOST_ASKED", 2)
        for number in range(4):
            asked.client.cookies["number"] = str(number)
            asked()
        assert len(fragments._askers) == 2
