"""The first page: who sees what of it, whatever a task has filled it with."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone, translation

from tests.first_page import condition, error, looked, running, sample, shop, worker
from tests.integration.pages import SCRIPT, superuser, text
from tests.integration.test_first_page import APP_INDEX, INDEX, ROOM, SERIES, WATCHED, part
from z4j_django.admin import fragments
from z4j_django.models import (
    ConditionRecord,
    ErrorGroup,
    QueueSample,
    Release,
)

pytestmark = pytest.mark.django_db

#: Reversed letters, an emoji, markup and no end.
HOSTILE = f"shop.\u202e{SCRIPT}💥" + "x" * 200


@pytest.fixture
def client() -> Client:
    return superuser()


class TestPermissions:
    def test_each_sees_what_they_may(self) -> None:
        shop()
        blocks = {
            "view_conditionrecord": ["z4j-attention"],
            "view_taskrecord": ["z4j-pulse", "z4j-queues", "z4j-running", "z4j-outcomes"],
            "view_workerrecord": ["z4j-workers"],
            "view_errorgroup": ["z4j-errors"],
            "view_journalrecord": ["z4j-recording"],
        }
        for codename in blocks:
            user = User.objects.create_user(codename, is_staff=True)
            user.user_permissions.add(Permission.objects.get(codename=codename))
            client = Client()
            client.force_login(user)
            shown = text(client.get(ROOM))
            there = {name for names in blocks.values() for name in names if f'id="{name}"' in shown}
            assert there == set(blocks[codename])
            if codename == "view_taskrecord":  # and no queue's page
                assert "?q=queue%3Amail" in shown

    @pytest.mark.parametrize("address", [ROOM, SERIES, WATCHED])
    def test_without_a_permission_there_is_nothing(self, address) -> None:
        client = Client()
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert client.get(address).status_code == 403
        assert "z4j-room" not in text(client.get(INDEX))

    def test_who_may_not_act_is_offered_nothing(self) -> None:
        looked()
        condition()
        user = User.objects.create_user("viewer", is_staff=True)
        user.groups.add(Group.objects.get(name="z4j viewer"))
        client = Client()
        client.force_login(user)
        shown = text(client.get(APP_INDEX))
        assert "Look</a>" in shown
        assert "Terminate these" not in shown

    def test_all_of_a_condition_at_once_wants_the_permission_of_bulk(self) -> None:
        looked()
        condition()
        user = User.objects.create_user("one by one", is_staff=True)
        for codename, offered in (("terminate_task", False), ("run_bulk", True)):
            user.user_permissions.add(
                *Permission.objects.filter(
                    codename__in=["view_conditionrecord", "view_taskrecord", codename]
                )
            )
            client = Client()
            client.force_login(user)
            assert ("Terminate these" in text(client.get(APP_INDEX))) == offered

    def test_what_a_site_does_not_show_is_not_told_here_either(self, monkeypatch) -> None:
        shop()
        monkeypatch.delitem(admin.site._registry, ErrorGroup)
        assert 'id="z4j-errors"' not in text(superuser().get(ROOM))


class TestBadInput:
    def test_nothing_that_a_task_can_fill_gets_into_the_markup(self, client) -> None:
        looked()
        condition(subject=HOSTILE, evidence=HOSTILE)
        worker(HOSTILE, queues=[HOSTILE])
        running(name=HOSTILE, worker=HOSTILE)
        error(name=HOSTILE, exception_type=HOSTILE, message=HOSTILE)
        sample(HOSTILE, unknown=HOSTILE)
        now = timezone.now()
        Release.objects.create(key=1, name=SCRIPT, first_seen=now, last_seen=now)
        for address in (INDEX, APP_INDEX, ROOM, WATCHED):
            assert SCRIPT not in text(client.get(address))
        record = ConditionRecord.objects.get()
        page = reverse("admin:z4j_django_conditionrecord_change", args=[record.pk])
        assert SCRIPT not in text(client.get(page))
        assert "<script" not in text(client.get(SERIES)) or client.get(SERIES)["Content-Type"] == (
            "application/json"
        )

    def test_ten_thousand_queues_are_eight_rows(self, client) -> None:
        QueueSample.objects.bulk_create(
            QueueSample(queue=f"q{number}", at=timezone.now(), depth=number)
            for number in range(10_000)
        )
        shown = part(client)
        assert "and 9,992 more" in shown
        assert len(shown) < 60_000

    def test_numbers_of_an_unknown_condition_do_not_break_it(self, client) -> None:
        looked()
        condition("of_another_version", numbers=["no", "dict"])
        assert "of_another_version" in part(client)


class TestForm:
    def test_there_is_no_inline_script_or_style(self, client) -> None:
        shop()
        shown = text(client.get(APP_INDEX)) + text(client.get(WATCHED))
        ours = shown[shown.index('class="z4j z4j-page"') :]
        assert " style=" not in ours
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son\w+=", ours)

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
    def test_it_stands_in_any_language_and_zone(self, client, zone) -> None:
        shop()
        with (
            override_settings(USE_THOUSAND_SEPARATOR=True, LANGUAGE_CODE="de", TIME_ZONE=zone),
            translation.override("de"),
        ):
            shown = text(client.get(APP_INDEX))
        for attribute in re.findall(r' (?:width|height|x|d|viewBox)="([^"]*)"', shown):
            assert "," not in attribute

    def test_without_time_zones_it_stands_too(self, client) -> None:
        with override_settings(USE_TZ=False):
            assert "Celery now" in text(client.get(APP_INDEX))
            assert client.get(SERIES, {"range": "90d"}).status_code == 200

    def test_where_tables_are_missing_the_admin_still_stands(self, client, monkeypatch) -> None:
        monkeypatch.setattr(ConditionRecord._meta, "db_table", "not_there")
        for address in (INDEX, APP_INDEX):
            assert "The records of the tasks can&#x27;t be read" in text(
                client.get(address)
            ) or "The records of the tasks can't be read" in text(client.get(address))

    def test_parts_are_shared_by_path_and_told_anew_after_a_while(self, client) -> None:
        looked()
        assert "All quiet" in part(client)
        condition()
        assert "All quiet" in part(client)
        fragments.forget()
        assert "All slots held" in part(client)
