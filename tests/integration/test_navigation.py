"""The line above our pages: on any site, at any address, to whoever may go there."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.urls import path, reverse, set_script_prefix

from tests.integration.pages import superuser, task, text
from z4j_django.admin.room.pages import ConditionAdmin
from z4j_django.admin.tasks import TaskAdmin
from z4j_django.admin.workers import WorkerAdmin
from z4j_django.models import ConditionRecord, TaskRecord, WorkerRecord

pytestmark = pytest.mark.django_db

ops = AdminSite(name="ops")
ops.register(TaskRecord, TaskAdmin)
ops.register(ConditionRecord, ConditionAdmin)
bare = AdminSite(name="bare")
bare.register(WorkerRecord, WorkerAdmin)
urlpatterns = [
    path("admin/", admin.site.urls),
    path("ops/", ops.urls),
    path("bare/", bare.urls),
]
two_sites = override_settings(ROOT_URLCONF=__name__)


def line(shown: str) -> dict[str, str]:
    """The addresses by their labels."""
    found = re.search(r'<ul class="z4j-nav">(.*?)</ul>', shown, re.S)
    assert found is not None
    return {label: url for url, label in re.findall(r'href="([^"]*)"[^>]*>([^<]*)</a>', found[1])}


def current(shown: str) -> list[str]:
    found = re.search(r'<ul class="z4j-nav">(.*?)</ul>', shown, re.S)
    assert found is not None
    return re.findall(r'aria-current="page">([^<]*)<', found[1])


def test_it_leads_to_every_page_that_there_is() -> None:
    shown = text(superuser().get(reverse("admin:app_list", args=["z4j_django"])))
    places = line(shown)
    assert next(iter(places)) == "Overview"
    assert {"Tasks", "Groups", "Queues", "Workers", "Operations", "Recording"} <= set(places)
    assert current(shown) == ["Overview"]
    client = superuser_again()
    for address in places.values():
        assert client.get(address).status_code == 200


def superuser_again() -> Client:
    client = Client()
    client.force_login(User.objects.get(username="root"))
    return client


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("taskrecord_changelist", "Tasks"),
        ("workerrecord_changelist", "Workers"),
        ("operation_queues", "Queues"),
        ("operation_changelist", "Operations"),
        ("journalloss_changelist", "Recording"),
    ],
)
def test_it_says_where_one_is(name: str, place: str) -> None:
    shown = text(superuser().get(reverse(f"admin:z4j_django_{name}")))
    assert current(shown) == [place]


def test_a_record_is_where_its_list_is() -> None:
    address = reverse("admin:z4j_django_taskrecord_change", args=[task("a").pk])
    assert current(text(superuser().get(address))) == ["Tasks"]


def test_it_leads_only_where_one_may_go() -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_workerrecord"))
    client = Client()
    client.force_login(user)
    shown = text(client.get(reverse("admin:z4j_django_workerrecord_changelist")))
    assert list(line(shown)) == ["Overview", "Workers"]


@two_sites
def test_another_site_leads_to_its_own_pages() -> None:
    client = superuser()
    shown = text(client.get("/ops/z4j_django/"))
    assert "Tasks" in line(shown)
    assert "Groups" not in line(shown)
    addresses = re.findall(r'(?:href|data-hx-get|data-z4j-chart)="(/[^"]*)"', shown)
    ours = [one for one in addresses if "/z4j_django/" in one and "static" not in one]
    assert len(ours) > 8
    assert all(one.startswith("/ops/") for one in ours)
    assert text(client.get("/ops/z4j_django/conditionrecord/room/?part=now"))


@two_sites
def test_a_site_without_conditions_has_no_first_page_of_ours_and_stands() -> None:
    shown = text(superuser().get("/bare/z4j_django/"))
    assert "z4j-room" not in shown
    assert list(line(shown)) == ["Overview", "Workers"]
    assert "Celery now" not in text(superuser_again().get("/bare/"))


def test_under_a_script_prefix_all_addresses_have_it() -> None:
    client = superuser()
    set_script_prefix("/intranet/")
    try:
        shown = text(client.get("/admin/z4j_django/", SCRIPT_NAME="/intranet"))
    finally:
        set_script_prefix("/")
    addresses = re.findall(r'(?:href|data-hx-get|data-z4j-chart)="(/[^"]*)"', shown)
    ours = [one for one in addresses if "static" not in one and "favicon" not in one]
    assert len(ours) > 8
    assert [one for one in ours if not one.startswith("/intranet")] == []
