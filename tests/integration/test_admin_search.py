"""The search box of the task list: what it offers, and what it asks back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.integration.pages import SCRIPT, TASKS, task, text

pytestmark = pytest.mark.django_db

SUGGEST = reverse("admin:z4j_django_taskrecord_suggest")


def shown(client: Client, typed: str, **query: str) -> list[str]:
    answer = client.get(SUGGEST, {"q": typed, **query})
    assert answer.status_code == 200
    return [one["shown"] for one in answer.json()["suggestions"]]


class TestOffers:
    def test_it_offers_real_values(self, admin_client: Client) -> None:
        task("a", name="shop.charge_card", queue="mail")
        assert shown(admin_client, "cha") == ["name:shop.charge_card"]
        assert shown(admin_client, "queue:m sent:<1h", at="7") == ["queue:mail"]
        assert shown(admin_client, "state:f", at="nonsense") == ["state:FAILURE"]

    def test_it_asks_the_database_little_however_much_there_is(self, admin_client: Client) -> None:
        task("a", name="shop.charge_card", queue="shop", worker="shop@1")
        with CaptureQueriesContext(connection) as captured:
            assert len(shown(admin_client, "shop")) == 3
        assert len(captured) <= 6

    def test_it_is_for_those_who_see_tasks(self, client: Client) -> None:
        assert client.get(SUGGEST, {"q": "s"}).status_code == 302  # to the login
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert client.get(SUGGEST, {"q": "s"}).status_code == 403

    def test_what_it_offers_is_no_html(self, admin_client: Client) -> None:
        task("a", name=SCRIPT)
        answer = admin_client.get(SUGGEST, {"q": "name:<"})
        assert answer["Content-Type"] == "application/json"
        assert answer.json()["suggestions"][0]["shown"] == f"name:{SCRIPT}"


class TestDidYouMean:
    @pytest.mark.parametrize(
        ("typed", "link"),
        [
            ("state:FAILED", "?q=state%3AFAILURE"),
            ("failed", "?q=state%3AFAILURE"),
            ("name:shop.chrage_card", "?q=name%3Ashop.charge_card"),
        ],
    )
    def test_a_wrong_filter_is_answered_with_a_link(
        self, admin_client: Client, typed: str, link: str
    ) -> None:
        task("a", name="shop.charge_card")
        page = text(admin_client.get(TASKS, {"q": typed}))
        assert "Did you mean" in page
        assert f'href="{link}"' in page

    def test_what_finds_something_is_not_asked_about(self, admin_client: Client) -> None:
        task("a", name="shop.charge_card")
        for typed in ("", "charge", "name:shop.*"):
            assert "Did you mean" not in text(admin_client.get(TASKS, {"q": typed}))

    def test_the_other_filters_stay(self, admin_client: Client) -> None:
        page = text(admin_client.get(TASKS, {"q": "state:FAILED", "queue": "mail"}))
        assert 'href="?q=state%3AFAILURE&amp;queue=mail"' in page

    def test_it_is_escaped(self, admin_client: Client) -> None:
        task("a", name=SCRIPT)
        page = text(admin_client.get(TASKS, {"q": 'name:"<script>alert(1)</scrip"'}))
        assert "Did you mean" in page
        assert SCRIPT not in page
