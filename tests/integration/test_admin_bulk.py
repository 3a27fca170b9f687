"""Queues that are emptied, and filters that are acted on, from the admin."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from tests.integration.mailbox import QUEUE
from tests.integration.operators import (
    QUEUES,
    address,
    kept,
)
from tests.integration.pages import SCRIPT, listed, page, superuser, task, text
from z4j_django.admin import bulk_page
from z4j_django.admin.queue_pages import PurgePage
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord

pytestmark = pytest.mark.django_db


class TestQueues:
    def test_the_name_typed_back_purges(self, admin_client, pretence) -> None:
        where = f"{address('operation_purge')}?queue=mail"
        assert "3 messages" in text(admin_client.get(where))
        response = admin_client.post(where, {"confirm": "mail"})
        expected = {"confirm": "mail", "surface": "admin"}
        assert pretence.calls == [("purge_queue", "mail", expected)]
        assert response["Location"] == page(Operation.objects.get())

    @pytest.mark.parametrize("typed", ["", "Mail", "mail ", "mails", "m\0ail", "x" * 300])
    def test_any_other_name_does_not(self, admin_client, typed) -> None:
        where = f"{address('operation_purge')}?queue=mail"
        assert 'class="errorlist' in text(admin_client.post(where, {"confirm": typed}))
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("name", ["", "%00", "x" * 256])
    def test_what_is_no_name_leads_back(self, admin_client, pretence, name) -> None:
        where = f"{address('operation_purge')}?queue={name}"
        assert "no name of a queue" in text(admin_client.post(where, follow=True))

    def test_a_refusal_is_a_sentence_on_the_page(self, admin_client, pretence) -> None:
        pretence.error = OperationError("The queue is empty.")
        where = f"{address('operation_purge')}?queue=mail"
        response = admin_client.post(where, {"confirm": "mail"})
        assert "The queue is empty." in text(response)

    def test_a_hostile_name_is_only_text(self, admin_client, pretence) -> None:
        task("a", queue=SCRIPT)
        purge = admin_client.get(address("operation_purge"), {"queue": SCRIPT})
        for shown in (text(admin_client.get(QUEUES)), text(purge)):
            assert SCRIPT not in shown
            assert "&lt;script&gt;" in shown


class TestBulk:
    BULK = "taskrecord_bulk_retry"

    @pytest.fixture(autouse=True)
    def _some(self) -> None:
        for number in range(12):
            kept(f"f{number}")
        task("s", state="SUCCESS")

    def test_a_preview_counts_and_shows_some(self, admin_client) -> None:
        response = admin_client.get(address(self.BULK), {"state": "FAILURE"})
        shown = text(response)
        assert "12 tasks match" in shown
        assert "Retry 12 tasks" in shown
        assert len(response.context["sample"]) == 10
        newest = TaskRecord.objects.order_by("-id")[0].pk
        assert f'name="until" value="{newest}"' in shown

    def test_what_was_previewed_is_handed_over(self, admin_client, pretence) -> None:
        shown = admin_client.get(address(self.BULK), {"state": "FAILURE", "q": "shop"})
        frozen = shown.context["frozen"]
        kept("late")
        given = {**frozen, "rate": "5", "force": "on"}
        response = admin_client.post(address(self.BULK), given)
        [(verb, target, options)] = pretence.calls
        assert (verb, target) == ("bulk", "retry")
        assert options["selection"].as_json() == frozen
        assert options["rate"] == 5.0
        assert options["force"] is True
        assert response["Location"] == page(Operation.objects.get())

    def test_where_they_go_is_not_taken_for_the_queue_they_are_in(
        self, admin_client, pretence
    ) -> None:
        kept("there", queue="there")
        chosen = {"state": "FAILURE", "queue": "there"}
        shown = admin_client.get(address(self.BULK), chosen)
        names = re.findall(r'<input[^>]* name="([^"]+)"', shown.content.decode())
        assert (names.count("queue"), names.count("to_queue")) == (1, 1)
        admin_client.post(address(self.BULK), {**shown.context["frozen"], "to_queue": "mail"})
        [(_, _, options)] = pretence.calls
        assert options["selection"].queue == chosen["queue"]
        assert options["queue"] == "mail"

    @pytest.mark.parametrize("given", [{}, {"state": ""}, {"queue": " "}, {"project": "other"}])
    def test_an_empty_filter_is_refused(self, admin_client, pretence, given) -> None:
        for ask in (admin_client.get, admin_client.post):
            response = ask(address(self.BULK), given, follow=True)
            assert "An empty filter would mean every task" in text(response)
        assert pretence.calls == []

    @pytest.mark.parametrize(
        "given", [{"state": "NO SUCH"}, {"name": "\0"}, {"queue": "x" * 256}, {"until": "x"}]
    )
    def test_a_wrong_filter_is_refused(self, admin_client, pretence, given) -> None:
        for ask in (admin_client.get, admin_client.post):
            response = ask(address(self.BULK), {"state": "FAILURE", **given}, follow=True)
            assert 'class="error"' in text(response)
        assert pretence.calls == []

    def test_nothing_is_done_that_was_not_previewed(self, admin_client, pretence) -> None:
        response = admin_client.post(address(self.BULK), {"state": "FAILURE"}, follow=True)
        assert "has to be previewed first" in text(response)
        assert pretence.calls == []

    @pytest.mark.parametrize("rate", ["0", "-1", "nan", "fast", "1e9"])
    def test_a_wrong_rate_is_said_at_its_field(self, admin_client, pretence, rate) -> None:
        given = {"state": "FAILURE", "until": "999999999", "rate": rate}
        assert 'class="errorlist"' in text(admin_client.post(address(self.BULK), given))
        assert pretence.calls == []

    def test_more_than_the_limit_is_told(self, admin_client, settings) -> None:
        settings.Z4J = {"BULK_LIMIT": 5}
        shown = text(admin_client.get(address(self.BULK), {"state": "FAILURE"}))
        assert "5 tasks match" in shown
        assert "the newest 5" in shown

    def test_where_it_does_not_look_at_all_it_says_at_least(
        self, admin_client, monkeypatch
    ) -> None:
        monkeypatch.setattr(bulk_page, "LOOK", 5)
        asked = {"q": "state:FAILURE -runtime:>5s"}
        shown = text(admin_client.get(address(self.BULK), asked))
        assert "At least 5 tasks match" in shown
        assert "Retry at least 5 tasks" in shown
        assert "among the newest 5 tasks in which they were looked for" in shown
        assert "Of the newest <strong>5 tasks" in shown
        monkeypatch.setattr(bulk_page, "LOOK", 12)
        assert "12 tasks match" in text(admin_client.get(address(self.BULK), asked))

    def test_the_frozen_filter_is_shown_in_words_and_as_text(self, admin_client) -> None:
        given = {"state": "FAILURE", "q": "sent:>2h -queue:bulk"}
        response = admin_client.get(address(self.BULK), given)
        shown = text(response)
        frozen = response.context["frozen"]
        assert "state FAILURE, search sent:&gt;2h -queue:bulk" in shown
        assert "project:default state:FAILURE sent:&gt;2h -queue:bulk" in shown
        assert f'name="asked_at" value="{frozen["asked_at"]}"' in shown
        assert frozen["asked_at"][:19].replace("T", " ") in shown

    def test_ages_are_counted_back_from_the_preview(self, admin_client, pretence) -> None:
        TaskRecord.objects.update(sent_at=timezone.now() - timedelta(hours=2))
        frozen = admin_client.get(address(self.BULK), {"q": "sent:>2h"}).context["frozen"]
        an_hour_earlier = timezone.now() - timedelta(hours=1)
        given = {**frozen, "asked_at": an_hour_earlier.isoformat()}
        admin_client.post(address(self.BULK), given)
        admin_client.post(address(self.BULK), frozen)
        selections = [options["selection"] for _, _, options in pretence.calls]
        assert [len(one.ids(100)) for one in selections] == [0, 13]

    @pytest.mark.parametrize("asked_at", ["soon", "2026-01-01", "\0", SCRIPT, "9999-01-01T00:00Z"])
    def test_a_moment_that_is_none_is_refused(self, admin_client, pretence, asked_at) -> None:
        given = {"q": "sent:>2h", "until": "999999999", "asked_at": asked_at}
        shown = text(admin_client.post(address(self.BULK), given, follow=True))
        assert "The filter asked_at is not a moment" in shown
        assert SCRIPT not in shown
        assert pretence.calls == []

    def test_a_filter_without_an_index_says_what_it_lacks(self, admin_client, pretence) -> None:
        where = address(self.BULK)
        for response in (
            admin_client.get(where, {"q": "runtime:>5s"}),
            admin_client.post(where, {"q": "runtime:>5s", "until": "9", "rate": "wrong"}),
        ):
            shown = text(response)
            assert "This filter can't be acted on" in shown
            assert "runtime:&gt;5s: there is no index for this." in shown
            assert 'type="submit" class="default' not in shown
        assert "12 tasks match" in text(admin_client.get(where, {"q": "retries:0 state:FAILURE"}))

    def test_a_mistake_leads_back_to_the_list_that_says_it(self, admin_client, pretence) -> None:
        given = {"q": "runtime:>5x", "queue": "mail", "until": "9"}
        for ask in (admin_client.get, admin_client.post):
            response = ask(address(self.BULK), given, follow=True)
            assert "q=runtime%3A%3E5x" in response.redirect_chain[-1][0]
            assert "At 1, &quot;runtime:&gt;5x&quot;" in text(response)
            assert listed(response) == []
        assert pretence.calls == []

    def test_a_filter_that_names_only_a_project_is_empty(self, admin_client, pretence) -> None:
        response = admin_client.get(address(self.BULK), {"q": "project:default"}, follow=True)
        assert "An empty filter would mean every task" in text(response)

    def test_where_nothing_matches_there_is_nothing_to_confirm(self, admin_client) -> None:
        shown = text(admin_client.get(address(self.BULK), {"state": "REVOKED"}))
        assert "There is nothing to act on." in shown
        assert 'type="submit" class="default' not in shown


@pytest.mark.django_db(transaction=True)
def test_what_was_done_stays_on_record_though_each_request_is_a_transaction(
    monkeypatch, publish
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    publish(1)

    def break_down(*args: object) -> None:
        raise RuntimeError("after the purge")

    monkeypatch.setattr(PurgePage, "outcome", break_down)
    client = superuser()
    with pytest.raises(RuntimeError, match="after the purge"):
        client.post(f"{address('operation_purge')}?queue={QUEUE}", {"confirm": QUEUE})
    operation = Operation.objects.get()
    assert (operation.state, operation.done) == ("finished", 2)
    assert operation.messages.count() == 1
