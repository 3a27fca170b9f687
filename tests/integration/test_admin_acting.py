"""From the list and the page of a task to the page that asks, and on to the outcome."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.operators import (
    QUEUES,
    address,
    grant,
    ids,
    kept,
    operation,
    signed_in,
)
from tests.integration.pages import GROUPS, NOW, SCRIPT, TASKS, page, task, text
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation, OperationTarget, TaskRecord
from z4j_django.queries import operations as queries
from z4j_django.queries import tasks

pytestmark = pytest.mark.django_db


def asks(client: Client, verb: str, *records: TaskRecord):
    return client.get(address(f"taskrecord_{verb}"), {"id": [record.pk for record in records]})


class TestTheList:
    def test_an_action_leads_to_a_page_that_asks(self, admin_client, pretence) -> None:
        one, other = kept("a"), kept("b")
        task("c")
        chosen = {"action": "retry_chosen", "_selected_action": [one.pk, other.pk], "index": 0}
        response = admin_client.post(TASKS, chosen)
        assert response["Location"] == address("taskrecord_retry") + ids(one, other)
        assert "Retry 2 tasks?" in text(admin_client.get(response["Location"]))
        assert pretence.calls == []

    def test_a_whole_filter_is_never_chosen_by_the_checkbox(self, admin_client) -> None:
        one = kept("a")
        kept("b")
        chosen = {"action": "retry_chosen", "_selected_action": [one.pk], "select_across": "1"}
        response = admin_client.post(TASKS, chosen)
        assert response["Location"] == address("taskrecord_retry") + ids(one)

    @pytest.mark.parametrize("wrong", ["abc", "\0", "9" * 30, "-1", "1.5", "", "٣", SCRIPT])
    @pytest.mark.parametrize("select_across", ["0", "1", "x"])
    def test_a_choice_that_is_none_is_said_to_be_none(
        self, admin_client, wrong, select_across
    ) -> None:
        given = {"_selected_action": [wrong], "select_across": select_across, "index": "0"}
        response = admin_client.post(TASKS, {"action": "retry_chosen", **given}, follow=True)
        shown = text(response)
        assert "No items have been changed" in shown or "No action selected" in shown

    def test_an_unknown_action_is_none(self, admin_client) -> None:
        one = task("a")
        given = {"action": "delete_selected", "_selected_action": [one.pk], "index": "x"}
        assert "No action selected" in text(admin_client.post(TASKS, given, follow=True))
        assert TaskRecord.objects.exists()

    def test_the_actions_of_the_project_stay_out(self, admin_client) -> None:
        from django.contrib import admin

        admin.site.add_action(lambda *args: None, "sweep")
        try:
            task("a")
            assert "sweep" not in text(admin_client.get(TASKS))
        finally:
            admin.site.disable_action("sweep")
            del admin.site._global_actions["sweep"]

    def test_actions_cost_no_query_more(self, admin_client, client) -> None:
        for number in range(60):
            task(str(number), state="FAILURE")
        viewer = User.objects.create_user("viewer", is_staff=True)
        grant(viewer, "view_taskrecord")
        client.force_login(viewer)
        with CaptureQueriesContext(connection) as without:
            assert "_selected_action" not in text(client.get(TASKS))
        grant(viewer, "retry_task", "cancel_task", "terminate_task", "run_bulk")
        with CaptureQueriesContext(connection) as having:
            assert "_selected_action" in text(client.get(TASKS))
        assert len(having) == len(without) <= 12

    def test_a_filter_can_be_acted_on_and_the_whole_table_can_not(self, admin_client) -> None:
        task("a", state="FAILURE", name="shop.pay")
        assert "Act on all that match" not in text(admin_client.get(TASKS))
        shown = text(admin_client.get(TASKS, {"state": "FAILURE", "q": "shop"}))
        link = f'href="{address("taskrecord_bulk_retry")}?state=FAILURE&amp;q=shop"'
        assert link in shown
        nothing = text(admin_client.get(TASKS, {"state": "REVOKED"}))
        assert "Act on all that match" not in nothing


class TestTaskPages:
    @pytest.mark.parametrize("verb", ["retry", "cancel", "terminate"])
    def test_the_answer_yes_acts_and_leads_to_the_outcome(
        self, admin_client, pretence, verb
    ) -> None:
        record = kept("a", state="STARTED", project="shop")
        given = {"signal": "SIGKILL"} if verb == "terminate" else {}
        response = admin_client.post(address(f"taskrecord_{verb}") + ids(record), given)
        [(called, targets, options)] = pretence.calls
        assert (called, targets) == (verb, ["a"])
        assert options == {"project": "shop", "surface": "admin", **given}
        made = Operation.objects.get()
        assert response["Location"] == page(made)
        assert f"{verb.capitalize()}: 1 done." in text(admin_client.get(page(made)))

    def test_the_options_are_handed_over(self, admin_client, pretence) -> None:
        given = {"to_queue": "slow", "countdown": "1.5", "force": "on"}
        admin_client.post(address("taskrecord_retry") + ids(kept("a")), given)
        options = pretence.calls[0][2]
        assert options["queue"] == "slow"
        assert options["countdown"] == 1.5
        assert options["force"] is True

    def test_when_it_may_run_is_typed_in_the_zone_that_the_page_names(
        self, admin_client, pretence, settings
    ) -> None:
        settings.TIME_ZONE = "Asia/Tokyo"
        where = address("taskrecord_retry") + ids(kept("a"))
        assert "A moment is in Asia/Tokyo." in text(admin_client.get(where))
        begin = timezone.localtime().replace(microsecond=0) + timedelta(hours=1)
        given = {"eta": f"{begin:%Y-%m-%dT%H:%M:%S}", "expires": "7200", "keep_ids": "on"}
        admin_client.post(where, given)
        options = pretence.calls[0][2]
        assert (options["eta"], options["expires"], options["keep_ids"]) == (begin, 7200.0, True)
        admin_client.post(where, {"expires": f"{begin:%Y-%m-%d %H:%M:%S}"})
        assert pretence.calls[1][2]["expires"] == begin

    @pytest.mark.parametrize(
        "given",
        [
            {"eta": "soon"},
            {"expires": "never"},
            {"eta": "2020-01-01T00:00", "countdown": "1"},
            {"countdown": "soon"},
            {"countdown": "-1"},
            {"countdown": "nan"},
            {"countdown": "inf"},
            {"countdown": "1e99"},
            {"to_queue": "x" * 256},
            {"to_queue": "a\0b"},
        ],
    )
    def test_a_wrong_option_is_said_at_its_field(self, admin_client, pretence, given) -> None:
        response = admin_client.post(address("taskrecord_retry") + ids(kept("a")), given)
        assert 'class="errorlist"' in text(response)
        assert pretence.calls == []

    def test_a_signal_that_is_none_is_refused(self, admin_client, pretence) -> None:
        record = kept("a", state="STARTED")
        response = admin_client.post(
            address("taskrecord_terminate") + ids(record), {"signal": "SIGNOTHING"}
        )
        assert "Select a valid choice" in text(response)
        assert pretence.calls == []

    def test_it_says_which_will_be_refused_and_why(self, admin_client) -> None:
        shown = text(
            asks(
                admin_client,
                "retry",
                kept("a"),
                kept("b", state="STARTED"),
                task("c", state="FAILURE"),
            )
        )
        assert "1 of 3 will be acted on, 2 refused" in shown
        assert "It is under way still." in shown
        assert "It is without its message, which was not kept." in shown
        shown = text(asks(admin_client, "cancel", task("d", state="SUCCESS"), task("e")))
        assert "1 of 2 will be acted on, 1 refused" in shown
        assert "It is over already." in shown

    def test_a_refusal_is_a_sentence_on_the_page(self, admin_client, pretence) -> None:
        pretence.error = OperationError(f"The broker said {SCRIPT}.")
        response = admin_client.post(address("taskrecord_retry") + ids(kept("a")))
        assert "The broker said &lt;script&gt;" in text(response)

    def test_tasks_of_several_projects_are_refused_together(self, admin_client, pretence) -> None:
        chosen = kept("a", project="one"), task("b", project="two")
        response = admin_client.post(address("taskrecord_retry") + ids(*chosen), follow=True)
        assert "several projects: one, two" in text(response)
        assert pretence.calls == []

    @pytest.mark.parametrize("query", ["", "?id=", "?id=abc", "?id=%00", "?id=999999", "?x=1"])
    def test_nothing_chosen_leads_back_to_the_list(self, admin_client, pretence, query) -> None:
        for ask in (admin_client.get, admin_client.post):
            response = ask(address("taskrecord_retry") + query, follow=True)
            assert "None of these tasks is on record." in text(response)
        assert pretence.calls == []

    def test_more_than_a_page_is_no_choice_by_hand(self, admin_client, pretence) -> None:
        where = address("taskrecord_retry") + "?" + "id=1&" * 101
        assert "At most 100 can be chosen by hand" in text(admin_client.post(where, follow=True))
        assert pretence.calls == []

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
    def test_other_methods_are_not_allowed(self, admin_client, pretence, method) -> None:
        answer = getattr(admin_client, method)(address("taskrecord_retry") + ids(kept("a")))
        assert answer.status_code == 405

    def test_without_the_token_nothing_is_done(self, pretence) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_user("root", is_staff=True, is_superuser=True))
        assert client.post(address("taskrecord_retry") + ids(kept("a"))).status_code == 403
        assert pretence.calls == []

    def test_who_may_not_see_operations_comes_back_to_the_task(self, client, pretence) -> None:
        user = User.objects.create_user("clerk", is_staff=True)
        grant(user, "view_taskrecord", "retry_task")
        client.force_login(user)
        record = kept("a")
        response = client.post(address("taskrecord_retry") + ids(record), follow=True)
        assert response.redirect_chain[-1][0] == page(record)
        assert "Retry: 1 done." in text(response)


class TestTaskDetail:
    def test_what_can_not_be_done_says_why(self, admin_client) -> None:
        shown = text(admin_client.get(page(task("a", state="SUCCESS"))))
        assert "Cancel, Terminate: It is over: SUCCESS." in shown
        assert "Retry, Edit and retry: Its message is not on record" in shown
        assert address("taskrecord_cancel") not in shown
        shown = text(admin_client.get(page(kept("b", state="STARTED"))))
        assert f"{address('taskrecord_retry')}?id=" in shown
        assert "only terminating stops it" in shown

    def test_the_line_of_retries_is_shown_both_ways(self, admin_client) -> None:
        first = task("first", name="shop.pay", state="FAILURE")
        made = operation()
        second = task("second", name="shop.pay", retry_of="first", operation=made.pk)
        third = task("third", name="shop.pay", retry_of="second", state="SUCCESS")
        shown = text(admin_client.get(page(second)))
        assert "Retry of" in shown
        assert page(first) in shown
        assert "retried once as" in shown
        assert page(third) in shown
        assert f"operation {made.pk}: retry by alice" in shown

    def test_it_says_who_did_what_to_it(self, admin_client) -> None:
        made = operation("cancel", ("a", "b"), actor=f"bob{SCRIPT}")
        OperationTarget.objects.filter(target="a").update(
            outcome="refused", reason=f"It is over {SCRIPT}", at=NOW
        )
        shown = text(admin_client.get(page(task("a"))))
        assert page(made) in shown
        assert "bob&lt;script&gt;" in shown
        assert "It is over &lt;script&gt;" in shown
        assert SCRIPT not in shown

    def test_who_may_not_see_operations_sees_none(self, client) -> None:
        made = operation("cancel")
        user = User.objects.create_user("clerk", is_staff=True)
        grant(user, "view_taskrecord")
        client.force_login(user)
        shown = text(client.get(page(task("a", operation=made.pk))))
        assert "alice" not in shown
        assert "Retry…" not in shown

    def test_long_trails_and_many_retries_are_cut_with_a_note(
        self, admin_client, monkeypatch
    ) -> None:
        monkeypatch.setattr(queries, "TRAIL_LIMIT", 1)
        monkeypatch.setattr(tasks, "RETRIES_LIMIT", 1)
        for number in range(2):
            operation("cancel")
            task(f"r{number}", retry_of="a")
        shown = text(admin_client.get(page(task("a"))))
        assert "The newest 1; there are more." in shown
        assert "retried 2 times, as" in shown
        assert "and more" in shown


def test_a_viewer_sees_no_way_to_act(pretence) -> None:
    viewer = signed_in("z4j viewer")
    record, made = kept("a", queue="mail"), operation("purge_queue", ("mail",))
    group = GroupRecord.objects.create(group_id="g", body_id="b", first_seen=NOW)
    running = operation(state="running", finished_at=None)
    for where in (TASKS, GROUPS, page(record), page(group), page(made), page(running), QUEUES):
        shown = text(viewer.get(where, {"state": "FAILURE"} if where == TASKS else {}))
        for words in ("z4j-buttons", "_selected_action", "Act on all", "Purge…", "Abort"):
            assert words not in shown
