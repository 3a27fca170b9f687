"""What nobody is told of, and what was told, in the admin; and what the first page says of it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests import first_page
from tests.integration import alerting
from tests.integration.alert_pages import (
    ADD_CHANNEL,
    DELIVERIES,
    SENTINEL,
    SILENCES,
    add_rule,
    add_webhook,
    delivery,
    shown_errors,
    telling,
)
from tests.integration.operators import address, signed_in
from tests.integration.pages import SCRIPT, page, superuser, text
from z4j_django.models import (
    AlertSilence,
    ConditionRecord,
    JournalRecord,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first_page.alone(monkeypatch)


@pytest.fixture
def root() -> Client:
    return superuser()


class TestSilences:
    def test_from_the_first_page_one_condition_is_silenced(self, root: Client) -> None:
        first_page.looked()
        first_page.condition("worker_gone", "w[1]@web")
        overview = text(root.get("/admin/z4j_django/"))
        where = address("alertsilence_silence_alerts")
        query = "?condition=worker_gone&amp;subject=w%5B%5B%5D1%5D%40web"
        assert f"{where}{query}" in overview
        form = root.get(html.unescape(f"{where}{query}")).context["form"]
        given = {name: form[name].value() for name in form.fields}
        assert given["subject"] == "w[[]1]@web"
        answer = root.post(where, {**given, "reason": f"It moves {SCRIPT}"}, follow=True)
        assert SCRIPT not in text(answer)
        row = AlertSilence.objects.get()
        assert (row.condition, row.created_by) == ("worker_gone", "root")
        lasts = row.until - timezone.now()
        assert timedelta(minutes=59) < lasts < timedelta(minutes=61)
        overview = text(root.get("/admin/z4j_django/"))
        assert f"{where}{query}" not in overview
        assert "silenced until" in overview

    def test_one_that_is_about_another_hides_nothing(self, root: Client) -> None:
        first_page.looked()
        first_page.condition("worker_gone", "w1")
        self._silence(subject="w2")
        self._silence(until=timezone.now() - timedelta(seconds=1))
        self._silence(ended_at=timezone.now())
        self._silence(condition="beat_stopped")
        assert "silenced until" not in text(root.get("/admin/z4j_django/"))
        self._silence(condition="", subject="w?")
        assert "silenced until" in text(root.get("/admin/z4j_django/"))

    def _silence(self, **fields: Any) -> AlertSilence:
        now = timezone.now()
        given = {
            **{"condition": "worker_gone", "subject": "*", "created_by": "ann", "since": now},
            "until": now + timedelta(hours=1),
        }
        return AlertSilence.objects.create(**{**given, **fields})

    def test_it_is_ended_from_its_page(self, root: Client) -> None:
        row = self._silence()
        where = address("alertsilence_end_silence", row.pk)
        assert where in text(root.get(page(row)))
        assert "ann" in text(root.get(where))
        root.post(where)
        row.refresh_from_db()
        assert row.ended_by == "root"
        assert where not in text(root.get(page(row)))
        assert "is over already" in text(root.post(where))

    def test_the_list_tells_those_that_hold(self, root: Client) -> None:
        self._silence(subject="now-*", held_count=1_234)
        self._silence(subject="then-*", until=timezone.now() - timedelta(days=1))
        shown = text(root.get(SILENCES, {"holds": "yes"}))
        assert "now-*" in shown
        assert "then-*" not in shown
        shown = text(root.get(SILENCES, {"holds": "no"}))
        assert "now-*" not in shown
        assert "then-*" in shown

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"until": ""}, "until"),
            ({"until": "soon"}, "until"),
            ({"until": "1e99"}, "until"),
            ({"condition": "made_up"}, "condition"),
            ({"subject": "x" * 300}, "subject"),
        ],
    )
    def test_what_can_not_be_is_told(self, root: Client, given: dict[str, str], field: str) -> None:
        fields = {"condition": "all", "subject": "*", "until": "60", **given}
        answer = root.post(address("alertsilence_silence_alerts"), fields)
        assert field in shown_errors(answer)
        assert not AlertSilence.objects.exists()

    def test_a_viewer_is_not_offered_it(self) -> None:
        first_page.looked()
        record = first_page.condition("worker_gone", "w1")
        client = signed_in("z4j viewer")
        where = address("alertsilence_silence_alerts")
        for shown in ("/admin/z4j_django/", page(record), SILENCES):
            assert where not in text(client.get(shown)), shown
        assert client.get(where).status_code == 403
        assert client.post(where, {"condition": "all", "until": "60"}).status_code == 403


class TestDeliveries:
    def test_what_was_said_its_outcome_and_the_answer_are_shown(self, root: Client) -> None:
        row = delivery(
            state="failed",
            attempts=7,
            answer=f"It did not answer {SCRIPT}",
            summary=f"A worker is gone: {SCRIPT}",
            message=telling("worker_gone", SCRIPT, evidence="w1 was last heard of 5 minutes ago."),
        )
        for where in (DELIVERIES, page(row)):
            shown = text(root.get(where))
            assert SCRIPT not in shown, where
            assert "failed" in shown
        shown = text(root.get(page(row)))
        assert "w1 was last heard of 5 minutes ago." in shown
        assert ">7<" in shown

    @pytest.mark.parametrize("stored", [{}, [], {"problems": 1}, {"problems": [1]}, {"rule": 1}])
    def test_what_another_version_wrote_breaks_no_page(self, root: Client, stored: Any) -> None:
        row = delivery(message=stored)
        assert "not on record" in text(root.get(page(row)))
        assert root.get(DELIVERIES, {"condition": "worker_gone"}).status_code == 200
        record = ConditionRecord.objects.create(
            key="worker_gone", subject="w1", severity="critical",
            since=timezone.now() - timedelta(hours=1), last_seen=timezone.now(), evidence="It is.",
        )  # fmt: skip
        assert "Nobody." in text(root.get(page(record)))

    def test_they_are_found_by_what_they_tell_of(self, root: Client) -> None:
        mine = delivery(summary="mine", message=telling("worker_gone", "w1"))
        delivery(summary="other", message=telling("worker_gone", "w2"))
        delivery(summary="else", message=telling("beat_stopped", "w1"))
        found = root.get(DELIVERIES, {"condition": "worker_gone", "subject": "w1"})
        assert [row.pk for row in found.context["cl"].result_list] == [mine.pk]
        found = root.get(DELIVERIES, {"condition": "worker_gone"})
        assert len(found.context["cl"].result_list) == 2

    @pytest.mark.parametrize("given", [{"channel": "mail"}, {"rule": "day"}, {"state": "refused"}])
    def test_they_are_found_by_whom_by_what_and_how(
        self, root: Client, given: dict[str, str]
    ) -> None:
        delivery()
        mine = delivery(**given)
        found = root.get(DELIVERIES, given).context["cl"].result_list
        assert [row.pk for row in found] == [mine.pk]

    def test_a_conditions_page_says_who_was_told(self, root: Client) -> None:
        since = timezone.now() - timedelta(minutes=5)
        record = first_page.condition("worker_gone", "w1", since=since)
        before = since - timedelta(hours=1)
        delivery(channel="early", created_at=before, message=telling("worker_gone", "w1"))
        mine = delivery(message=telling("worker_gone", "w1"))
        delivery(channel="elsewhere", message=telling("worker_gone", "w2"))
        shown = text(root.get(page(record)))
        assert page(mine) in shown
        assert "early" not in shown
        assert "elsewhere" not in shown


class TestTheFirstPage:
    OVERVIEW = "/admin/z4j_django/"

    @pytest.fixture(autouse=True)
    def _recorded(self) -> None:
        JournalRecord.objects.create(host="w", directory="/j", pid=1, seen_at=timezone.now())

    def test_it_says_that_no_channel_is_set(self, root: Client, settings: Any) -> None:
        shown = text(root.get(self.OVERVIEW))
        assert "Nobody is told: no channel is set." in shown
        assert ADD_CHANNEL in shown
        viewer = text(signed_in("z4j viewer").get(self.OVERVIEW))
        assert "Nobody is told: no channel is set." in viewer
        assert ADD_CHANNEL not in viewer
        settings.Z4J = {"ALERTS": {"CHANNELS": {"mail": {"kind": "email", "to": "a@shop.test"}}}}
        first_page.fragments.forget()
        assert "Nobody is told" not in text(root.get(self.OVERVIEW))

    def test_it_says_what_did_not_arrive_until_something_does(self, root: Client) -> None:
        add_webhook(root)
        for state in ("failed", "refused", "sent", "refused", "failed", "perhaps"):
            delivery(state=state)
        delivery(status="test", state="failed")
        delivery(state="failed", created_at=timezone.now() - timedelta(hours=25))
        assert "2 alerts did not arrive." in text(root.get(self.OVERVIEW))
        delivery(status="test", state="sent")
        first_page.fragments.forget()
        assert "did not arrive" not in text(root.get(self.OVERVIEW))


class TestFromTheFormToTheLog:
    def test_who_is_written_down_is_told_and_the_pages_say_so(self, root: Client) -> None:
        with alerting.inbox() as inbox:
            given = {"name": "ops", "token": SENTINEL, "is_enabled": "on"}
            assert root.post(f"{ADD_CHANNEL}?kind=inbox", given).status_code == 302
            add_rule(root, conditions=["worker_gone"], subjects="w*", channels=["ops"], after="0")
            for subject in ("w1", "w[2]", "other"):
                alerting.holds("worker_gone", subject)
            first, second, third = ConditionRecord.objects.order_by("id")
            self._silence(root, second)
            self._round()
            assert inbox.lines() == ["firing worker_gone:w1"]
            assert inbox.given[0].token == SENTINEL
            assert "Nobody." not in text(root.get(page(first)))
            for untold in (second, third):
                assert "Nobody." in text(root.get(page(untold)))
            where = {"condition": "worker_gone", "subject": "w1"}
            (row,) = root.get(DELIVERIES, where).context["cl"].result_list
            assert row.state == "sent"
            assert "worker_gone of w1." in text(root.get(page(row)))
            root.post(address("alertsilence_end_silence", AlertSilence.objects.get().pk))
            self._round()
            assert len(inbox.messages) == 2
            (row,) = root.get(DELIVERIES, {**where, "subject": "w[2]"}).context["cl"].result_list
            assert "It was silenced by root until" in text(root.get(page(row)))

    def _round(self) -> None:
        """What the shipper does every few seconds."""
        now = timezone.now() - alerting.NOW
        alerting.tell(now.total_seconds() + 1)
        clock = alerting.Clock()
        clock.seconds = now.total_seconds() + 1
        alerting.send(clock)

    def _silence(self, client: Client, record: ConditionRecord) -> None:
        where = address("alertsilence_silence_alerts")
        shown = html.unescape(text(client.get(page(record))))
        (link,) = re.findall(rf'href="({re.escape(where)}[^"]*)"', shown)
        form = client.get(link).context["form"]
        given = {name: form[name].value() or "" for name in form.fields}
        assert client.post(where, given).status_code == 302
