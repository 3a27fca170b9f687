"""Views of the task list that people save: who sees them, who may change them."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.integration.pages import TASKS, superuser, text
from z4j_django import permissions
from z4j_django.models import SavedView
from z4j_django.queries import saved_views

pytestmark = pytest.mark.django_db

VIEWS = reverse("admin:z4j_django_savedview_changelist")
ADD = reverse("admin:z4j_django_savedview_add")


def client_of(name: str, *codenames: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    made = Client()
    made.force_login(user)
    return made


@pytest.fixture
def viewer() -> Client:
    return client_of("vera", "view_taskrecord")


@pytest.fixture
def operator() -> Client:
    return client_of("otto", "view_taskrecord", permissions.SHARE_VIEWS)


def save(client: Client, name: str, **fields: str) -> SavedView:
    given = {"name": name, "filter": "state:FAILURE", **fields}
    assert client.post(ADD, given).status_code == 302
    return SavedView.objects.get(name=name)


def change(view: SavedView) -> str:
    return reverse("admin:z4j_django_savedview_change", args=[view.pk])


def delete(view: SavedView) -> str:
    return reverse("admin:z4j_django_savedview_delete", args=[view.pk])


class TestSaving:
    def test_who_sees_tasks_saves_views_of_his_own(self, viewer: Client) -> None:
        answer = viewer.post(ADD, {"name": "failures", "filter": "state:failure sent:<1h"})
        view = SavedView.objects.get()
        assert (view.owner_name, view.shared) == ("vera", False)
        assert view.filter == "state:FAILURE sent:<1h"
        assert answer["Location"] == f"{TASKS}?q=state%3AFAILURE+sent%3A%3C1h"

    def test_who_sees_no_tasks_saves_none(self) -> None:
        clerk = client_of("clerk", "view_operation")
        assert clerk.get(ADD).status_code == 403
        assert clerk.post(ADD, {"name": "x", "filter": "state:FAILURE"}).status_code == 403
        assert clerk.get(VIEWS).status_code == 403

    def test_a_filter_that_can_not_be_read_is_refused_with_what_may_be_meant(
        self, viewer: Client
    ) -> None:
        answer = viewer.post(ADD, {"name": "x", "filter": "state:FAILED"})
        assert "Did you mean state:FAILURE?" in text(answer)
        assert not SavedView.objects.exists()

    def test_a_name_is_used_once_by_each(self, viewer: Client, operator: Client) -> None:
        save(viewer, "mine")
        answer = viewer.post(ADD, {"name": "mine", "filter": "state:RETRY"})
        assert "There is a view of this name already." in text(answer)
        assert operator.post(ADD, {"name": "mine", "filter": "queue:a"}).status_code == 302

    def test_nobody_saves_without_end(self, viewer: Client, monkeypatch) -> None:
        monkeypatch.setattr(saved_views, "LIMIT", 2)
        save(viewer, "a")
        save(viewer, "b")
        answer = viewer.post(ADD, {"name": "c", "filter": "queue:a"})
        assert "At most 2 views can be saved" in text(answer)

    def test_it_stands_in_djangos_own_log(self, viewer: Client) -> None:
        view = save(viewer, "mine")
        viewer.post(change(view), {"name": "ours", "filter": "queue:a"})
        viewer.post(delete(view), {"post": "yes"})
        said = [(one.user.username, one.action_flag) for one in LogEntry.objects.order_by("id")]
        assert said == [("vera", 1), ("vera", 2), ("vera", 3)]
        assert not SavedView.objects.exists()


class TestList:
    def test_it_says_what_it_lists_and_how_many(self, viewer: Client) -> None:
        save(viewer, "failures")
        page = viewer.get(VIEWS)
        assert page.context["title"] == "Saved views"
        assert "1 saved view" in text(page)


class TestSharing:
    def test_ones_own_stand_first_however_many_are_shared(
        self, viewer: Client, operator: Client, monkeypatch
    ) -> None:
        for name in "abc":
            save(operator, name, shared="on")
        save(viewer, "mine")
        monkeypatch.setattr(saved_views, "LIMIT", 1)
        owner = SavedView.objects.get(name="mine").owner
        assert [view.name for view in saved_views.listed(owner)] == ["mine", "a"]

    def test_who_may_not_share_can_not(self, viewer: Client) -> None:
        assert save(viewer, "mine", shared="on").shared is False

    def test_what_is_shared_everybody_sees_and_those_who_may_share_change(
        self, viewer: Client, operator: Client
    ) -> None:
        view = save(operator, "ours", shared="on")
        assert view.shared
        assert "ours" in text(viewer.get(VIEWS))
        assert viewer.get(change(view)).status_code == 200
        refused = viewer.post(change(view), {"name": "his", "filter": "queue:a"})
        assert refused.status_code == 403
        assert viewer.post(delete(view), {"post": "yes"}).status_code == 403
        other = client_of("olga", "view_taskrecord", permissions.SHARE_VIEWS)
        given = {"name": "ours", "filter": "queue:b", "shared": "on"}
        assert other.post(change(view), given).status_code == 302
        view.refresh_from_db()
        assert (view.filter, view.owner_name) == ("queue:b", "otto")

    def test_what_is_private_is_its_owners_whoever_asks(self, viewer: Client) -> None:
        view = save(viewer, "my secret")
        for other in (client_of("nosy", "view_taskrecord", permissions.SHARE_VIEWS), superuser()):
            assert "my secret" not in text(other.get(VIEWS))
            assert other.get(change(view)).status_code == 302  # it is not on record, to them
            other.post(delete(view), {"post": "yes"})
        assert SavedView.objects.count() == 1

    def test_the_role_of_operators_may_share(self) -> None:
        assert permissions.SHARE_VIEWS in permissions.ROLES["z4j operator"]
        assert permissions.SHARE_VIEWS not in permissions.ROLES["z4j viewer"]

    def test_a_user_without_a_key_has_none(self) -> None:
        SavedView.objects.create(owner="", name="nobody's", filter="queue:a")
        assert saved_views.listed("") == []
