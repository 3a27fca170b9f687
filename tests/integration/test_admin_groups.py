"""Groups and chords that are run again from the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tests.integration.operators import (
    OPERATIONS,
    address,
    broker_in_memory,
    grant,
    ids,
    kept,
    operation,
)
from tests.integration.pages import GROUPS, NOW, page, task, text
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation

pytestmark = pytest.mark.django_db


class TestGroups:
    def group(self, **fields) -> GroupRecord:
        given = {"group_id": "g", "kind": "chord", "size": 3, "body_id": "b", "first_seen": NOW}
        return GroupRecord.objects.create(**{**given, **fields})

    @pytest.mark.parametrize("members", ["all", "failed", "body"])
    def test_the_answer_yes_acts_and_leads_to_the_outcome(
        self, admin_client, pretence, members
    ) -> None:
        group = self.group()
        where = address(f"grouprecord_retry_{members}") + ids(group)
        response = admin_client.post(where, {"keep_ids": "on"})
        expected = {
            "members": members,
            "project": "default",
            "surface": "admin",
            "keep_ids": True,
        }
        assert pretence.calls == [("retry_group", "g", expected)]
        assert response["Location"] == page(Operation.objects.get())

    def test_it_lists_the_tasks_by_what_will_happen(self, admin_client, monkeypatch) -> None:
        broker_in_memory(monkeypatch)
        group = self.group(kind="group", size=2, body_id="")
        good = kept("m0", group_id="g", group_index=0, state="SUCCESS")
        bad = kept("m1", group_id="g", group_index=1)
        shown = text(admin_client.get(address("grouprecord_retry_failed") + ids(group)))
        assert "1 run again, 0 stand" in shown
        assert page(bad) in shown
        assert page(good) not in shown
        shown = text(admin_client.get(address("grouprecord_retry_all") + ids(group)))
        assert "2 run again, 0 stand" in shown
        shown = text(admin_client.get(address("grouprecord_retry_body") + ids(group)))
        assert "can only run when all have" in shown

    def test_it_says_beforehand_why_it_will_be_refused(self, admin_client, monkeypatch) -> None:
        broker_in_memory(monkeypatch)
        task("m0", group_id="g", group_index=0, state="STARTED")
        shown = text(admin_client.get(address("grouprecord_retry_all") + ids(self.group())))
        assert "As it stands, it is refused." in shown
        assert "2 are not on record" in shown

    def test_who_may_not_see_tasks_sees_no_member(self, client) -> None:
        user = User.objects.create_user("clerk", is_staff=True)
        grant(user, "view_grouprecord", "retry_group")
        client.force_login(user)
        task("m0", group_id="g", name="shop.secret")
        shown = text(client.get(address("grouprecord_retry_all") + ids(self.group())))
        assert "shop.secret" not in shown

    def test_a_group_that_is_refused_keeps_the_others_from_nothing(
        self, admin_client, pretence, monkeypatch
    ) -> None:
        from z4j_django import operations

        one, other = self.group(), self.group(group_id="h")
        real = operations.perform

        def picky(verb: str, group_id: str, *args, **given):
            if group_id == "g":
                raise OperationError("A result is gone.")
            return real(verb, group_id, *args, **given)

        monkeypatch.setattr(operations, "perform", picky)
        where = address("grouprecord_retry_all") + ids(one, other)
        shown = text(admin_client.post(where, follow=True))
        assert "Chord g: A result is gone." in shown
        assert "Retry group: 1 done." in shown
        monkeypatch.setattr(pretence, "error", OperationError("Not this one either."))
        response = admin_client.post(where)
        assert "Not this one either." in text(response)

    def test_several_groups_are_chosen_in_the_list(self, admin_client, pretence) -> None:
        one, other = self.group(), self.group(group_id="h")
        chosen = {"action": "retry_failed", "_selected_action": [one.pk, other.pk], "index": 0}
        response = admin_client.post(GROUPS, chosen)
        assert "2 groups" in text(admin_client.get(response["Location"]))
        response = admin_client.post(response["Location"])
        assert [call[1] for call in pretence.calls] == ["g", "h"]
        assert response["Location"] == OPERATIONS

    def test_the_page_has_the_buttons_and_the_trail(self, admin_client) -> None:
        group = self.group(body_id="", kind="group")
        made = operation("retry_group", ("m0",), parameters={"group_id": "g"})
        shown = text(admin_client.get(page(group)))
        assert address("grouprecord_retry_failed") in shown
        assert "It has no body" in shown
        assert page(made) in shown

    @pytest.mark.parametrize(
        ("state", "stands"), [("FAILURE", "NEVER SENT"), ("STARTED", "NOT SENT")]
    )
    def test_the_page_says_of_a_body_what_the_picture_does(
        self, admin_client, state, stands
    ) -> None:
        group = self.group(body_id="body")
        task("m0", group_id="g", group_index=0, state=state)
        task("body", name="shop.tell", sent_at=None)
        shown = text(admin_client.get(page(group)))
        assert f">{stands}<" in shown
        assert ">PENDING<" not in shown

    @pytest.mark.parametrize("query", ["", "?id=abc", "?id=999999"])
    def test_nothing_chosen_leads_back_to_the_list(self, admin_client, pretence, query) -> None:
        response = admin_client.post(address("grouprecord_retry_all") + query, follow=True)
        assert "None of these groups is on record." in text(response)
