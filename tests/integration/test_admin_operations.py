"""The audit trail in the admin, and the operations themselves behind its pages."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.operators import (
    OPERATIONS,
    address,
    broker_in_memory,
    ids,
    kept,
    operation,
)
from tests.integration.pages import NOW, SCRIPT, page, task, text
from z4j_django.models import (
    GroupRecord,
    Operation,
    OperationTarget,
    SavedMessage,
    TaskRecord,
)
from z4j_django.queries import operations as queries

pytestmark = pytest.mark.django_db


def asks(client: Client, verb: str, *records: TaskRecord):
    return client.get(address(f"taskrecord_{verb}"), {"id": [record.pk for record in records]})


class TestOperations:
    def test_the_list_shows_who_did_what_and_what_came_of_it(self, admin_client) -> None:
        made = operation(done=3, failed=1, total=4, actor=SCRIPT)
        shown = text(admin_client.get(OPERATIONS))
        assert page(made) in shown
        assert "3 done" in shown
        assert "1 failed" in shown
        assert SCRIPT not in shown

    @pytest.mark.parametrize(("column", "value"), [("verb", "cancel"), ("state", "running")])
    def test_each_filter_leaves_what_it_names(self, admin_client, column, value) -> None:
        match = operation("cancel", state="running")
        operation("retry", state="finished")
        response = admin_client.get(OPERATIONS, {column: value})
        assert [one.pk for one in response.context["cl"].result_list] == [match.pk]

    def test_a_search_finds_what_touched_a_task(self, admin_client) -> None:
        match = operation(targets=("a", "b"))
        operation(targets=("c",))
        response = admin_client.get(OPERATIONS, {"q": "b"})
        assert [one.pk for one in response.context["cl"].result_list] == [match.pk]

    def test_the_page_shows_targets_with_links_to_both_tasks(self, admin_client) -> None:
        old, new = task("old", name="shop.pay"), task("new", name="shop.pay", retry_of="old")
        made = operation(targets=("old", "gone"), parameters={"queue": SCRIPT}, done=1, refused=1)
        made.targets.filter(target="old").update(outcome="done", result_id="new", at=NOW)
        made.targets.filter(target="gone").update(outcome="refused", reason=f"No {SCRIPT}")
        shown = text(admin_client.get(page(made)))
        assert page(old) in shown
        assert page(new) in shown
        assert ">gone</bdi>" in shown
        assert "No &lt;script&gt;" in shown
        assert SCRIPT not in shown

    def test_the_group_and_its_body_are_links(self, admin_client) -> None:
        old = GroupRecord.objects.create(group_id="g-old", kind="chord", first_seen=NOW)
        new = GroupRecord.objects.create(group_id="g-new", kind="chord", first_seen=NOW)
        body = task("b-new", name="shop.gallery")
        given = {"group_id": "g-old", "new_group_id": "g-new", "body_id": "b-old"}
        made = operation("retry_group", ("m",), parameters={**given, "new_body_id": "b-new"})
        shown = text(admin_client.get(page(made)))
        assert all(page(record) in shown for record in (old, new, body))
        assert ">b-old</bdi>" in shown

    def test_a_purge_and_its_restore_lead_to_each_other(self, admin_client) -> None:
        purge = operation("purge_queue", ("mail",))
        restore = operation("restore", ("mail",), parameters={"restores": purge.pk})
        assert page(restore) in text(admin_client.get(page(purge)))
        assert page(purge) in text(admin_client.get(page(restore)))

    @pytest.mark.parametrize(
        "odd",
        [
            {"group_id": 7},
            {"group_id": {"a": 1}},
            [1],
            "text",
            5,
            {"restores": "x"},
            {"restores": -1},
            {"asked_at": [1]},
            {"asked_at": "0001-01-01T00:00:00+14:00"},
            {"asked_at": SCRIPT, "until": SCRIPT, "search": SCRIPT},
        ],
    )
    def test_odd_parameters_break_no_page(self, admin_client, odd) -> None:
        made = operation("retry_group", parameters=odd, selection=odd)
        record = task("a", operation=made.pk)
        group = GroupRecord.objects.create(group_id="7", first_seen=NOW)
        for where in (page(made), page(group), page(record), OPERATIONS):
            assert SCRIPT not in text(admin_client.get(where))

    def test_a_selection_says_what_it_was_and_from_when_its_ages_count(self, admin_client) -> None:
        selection = {
            "project": "default",
            "state": "FAILURE",
            "search": "sent:>2h -name:celery.*",
            "until": 1234,
            "asked_at": "2026-03-04T12:00:00.123456+00:00",
        }
        shown = text(admin_client.get(page(operation(selection=selection))))
        assert "state FAILURE, search sent:&gt;2h -name:celery.*, up to row 1234" in shown
        assert "Selected as of" in shown
        assert "2026-03-04 12:00:00.123</time>" in shown

    def test_targets_are_paged_and_filtered_by_outcome(self, admin_client, monkeypatch) -> None:
        monkeypatch.setattr(queries, "TARGETS_LIMIT", 2)
        made = operation(targets=tuple("abcde"), done=4, failed=1, total=5)
        made.targets.update(outcome="done")
        made.targets.filter(target="e").update(outcome="failed")
        shown = admin_client.get(page(made))
        assert [row["number"] for row in shown.context["rows"]] == ["1", "2"]
        following = admin_client.get(page(made) + shown.context["next_link"].split("#")[0])
        assert [row["number"] for row in following.context["rows"]] == ["3", "4"]
        failed = admin_client.get(page(made), {"outcome": "failed"})
        assert [row["number"] for row in failed.context["rows"]] == ["5"]

    @pytest.mark.parametrize(
        "query", [{"outcome": SCRIPT}, {"after": "x"}, {"after": "9" * 40}, {"outcome": "\0"}]
    )
    def test_a_wrong_parameter_breaks_nothing(self, admin_client, query) -> None:
        assert SCRIPT not in text(admin_client.get(page(operation()), query))

    def test_a_running_one_shows_its_progress_and_can_be_aborted(
        self, admin_client, pretence
    ) -> None:
        made = operation(targets=tuple("abcd"), state="running", finished_at=None)
        made.targets.filter(target="a").update(outcome="done")
        shown = text(admin_client.get(page(made)))
        assert '<progress max="4" value="1"' in shown
        assert "data-z4j-refresh" in shown
        response = admin_client.post(address("operation_abort", made.pk), follow=True)
        assert "stops before its next target" in text(response)
        assert pretence.calls == [("abort", made.pk, {})]

    def test_one_that_is_over_neither_refreshes_nor_aborts(self, admin_client) -> None:
        shown = text(admin_client.get(page(operation())))
        assert "data-z4j-refresh" not in shown
        assert "Abort" not in shown

    def test_the_list_undoes_a_purge_of_which_messages_are_left(self, admin_client) -> None:
        left, undone, other = (
            operation(verb, ("mail",)) for verb in ("purge_queue", "purge_queue", "cancel")
        )
        saved = {"position": 1, "sealed": b"x", "size": 1}
        SavedMessage.objects.create(operation=left, **saved)
        SavedMessage.objects.create(operation=undone, restored_at=NOW, **saved)
        shown = text(admin_client.get(OPERATIONS))
        assert address("operation_restore", left.pk) in shown
        for one in (undone, other):
            assert address("operation_restore", one.pk) not in shown

    def test_the_filters_of_the_list_say_their_words(self, admin_client) -> None:
        operation("purge_queue", ("mail",))
        shown = text(admin_client.get(OPERATIONS, {"verb": "purge_queue"}))
        assert re.search(r'href="\?verb=purge_queue"[^>]*>Purge queue</a>', shown)
        assert ">purge_queue</a>" not in shown

    def test_only_a_purge_is_restored(self, admin_client, pretence) -> None:
        purge, other = operation("purge_queue", ("mail",)), operation()
        assert "Put them back" in text(admin_client.get(address("operation_restore", purge.pk)))
        admin_client.post(address("operation_restore", purge.pk))
        [(verb, _, given)] = pretence.calls
        assert (verb, given["operation"], given["surface"]) == ("restore", purge.pk, "admin")
        refused = admin_client.get(address("operation_restore", other.pk), follow=True)
        assert "Only a purge or move can be undone" in text(refused)

    @pytest.mark.parametrize("name", ["abort", "restore"])
    @pytest.mark.parametrize("key", ["0", "abc", "9" * 30])
    def test_one_that_is_not_there_leads_to_the_list(
        self, admin_client, pretence, name, key
    ) -> None:
        for ask in (admin_client.get, admin_client.post):
            response = ask(f"{OPERATIONS}{key}/{name}/", follow=True)
            assert "There is no such operation." in text(response)

    def test_no_one_adds_changes_or_deletes_the_trail(self, admin_client) -> None:
        made = operation()
        assert admin_client.get(f"{OPERATIONS}add/").status_code == 403
        assert admin_client.post(page(made), {"actor": "nobody"}).status_code == 403
        delete = address("operation_delete", made.pk)
        assert admin_client.post(delete, {"post": "yes"}).status_code == 403
        made.refresh_from_db()
        assert made.actor == "alice"

    def test_sealed_messages_have_no_page(self, admin_client) -> None:
        for model in ("savedmessage", "taskpayload", "operationtarget"):
            assert admin_client.get(f"/admin/z4j_django/{model}/").status_code == 404

    def test_a_list_of_many_costs_what_a_list_of_few_does(self, admin_client) -> None:
        def queries_of(where: str) -> int:
            with CaptureQueriesContext(connection) as captured:
                assert admin_client.get(where).status_code == 200
            return len(captured)

        made = operation(targets=("a", "b"))
        task("a")
        few = queries_of(OPERATIONS), queries_of(page(made))
        for number in range(30):
            operation(targets=tuple(f"{number}-{place}" for place in range(5)))
        many = operation(targets=tuple(f"t{number}" for number in range(150)))
        assert (queries_of(OPERATIONS), queries_of(page(many))) <= few


class TestWithABroker:
    """The operations themselves, with a broker that lives in the test's process."""

    @pytest.fixture(autouse=True)
    def app(self, monkeypatch):
        return broker_in_memory(monkeypatch)

    @pytest.fixture
    def waiting(self, app):
        """Takes the next message out of a queue."""

        def take(queue: str):
            with app.connection_for_read() as connection:
                return connection.default_channel.basic_get(queue, no_ack=True)

        return take

    def test_an_edited_task_is_published_and_its_secrets_are_not_shown(
        self, admin_client, waiting
    ) -> None:
        queue = f"edited-{uuid.uuid4()}"
        record = kept("a", 1, queue=queue, kwargs={})
        given = {"args": "[2]", "kwargs": '{"api_key": "hunter2\\u0001"}'}
        response = admin_client.post(address("taskrecord_edit", record.pk), given, follow=True)
        shown = text(response)
        assert "Retry: 1 done." in shown
        assert "hunter2" not in shown
        assert "hunter2" not in json.dumps(Operation.objects.get().parameters)
        message = waiting(queue)
        assert message.headers["z4j"]["retry_of"] == "a"
        assert json.loads(message.body)[:2] == [[2], {"api_key": "hunter2\x01"}]

    def test_arguments_that_the_task_does_not_take_are_told_on_the_form(
        self, admin_client, app
    ) -> None:
        @app.task(name="shop.pay", shared=False)
        def pay(order: int) -> None:
            """Takes one argument."""

        record = kept("a", 1)
        response = admin_client.post(
            address("taskrecord_edit", record.pk), {"args": "[1, 2, 3]", "kwargs": "{}"}
        )
        assert "pay" in str(response.context["form"].non_field_errors())
        assert not Operation.objects.exists()

    def test_some_done_and_some_refused_are_told_apart(self, admin_client, waiting) -> None:
        queue = f"some-{uuid.uuid4()}"
        good, bad = kept("a", queue=queue), kept("b", queue=queue, state="STARTED")
        response = admin_client.post(address("taskrecord_retry") + ids(good, bad), follow=True)
        shown = text(response)
        assert "Retry: 1 done, 1 refused." in shown
        assert "it has not ended" in shown
        made = Operation.objects.get()
        new_id = made.targets.get(target="a").result_id
        assert waiting(queue).headers["id"] == new_id
        assert new_id in shown
        assert waiting(queue) is None

    def test_a_purge_is_undone_from_its_page(self, admin_client, app, waiting) -> None:
        queue = f"purged-{uuid.uuid4()}"
        for number in range(3):
            app.send_task("shop.pay", (number,), queue=queue)
        where = f"{address('operation_purge')}?queue={queue}"
        assert "3 messages" in text(admin_client.get(where))
        shown = text(admin_client.post(where, {"confirm": queue}, follow=True))
        assert "All 3 messages were saved and removed." in shown
        assert waiting(queue) is None
        restore = address("operation_restore", Operation.objects.get().pk)
        assert restore in shown
        assert "Restore: " in text(admin_client.post(restore, follow=True))
        assert [json.loads(waiting(queue).body)[0] for _ in range(3)] == [[0], [1], [2]]

    def test_a_filter_is_acted_on_as_it_was_previewed(self, admin_client, waiting) -> None:
        queue = f"many-{uuid.uuid4()}"
        for number in range(3):
            kept(f"f{number}", queue=queue)
        bulk = address("taskrecord_bulk_retry")
        frozen = admin_client.get(bulk, {"queue": queue}).context["frozen"]
        kept("late", queue=queue)
        shown = text(admin_client.post(bulk, frozen, follow=True))
        assert "Retry: 3 done." in shown
        assert f"queue {queue}" in shown
        assert "late" not in {target.target for target in OperationTarget.objects.all()}
        assert [waiting(queue) is None for _ in range(4)] == [False, False, False, True]

    def test_django_s_own_log_has_it_too(self, admin_client) -> None:
        from django.contrib.admin.models import LogEntry

        admin_client.post(address("taskrecord_retry") + ids(kept("a", queue="log")))
        assert "retry" in str(LogEntry.objects.get()).lower()
