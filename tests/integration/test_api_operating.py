"""What all that acts by the API has in common: one row on record, no transaction, and no gossip."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import celery
import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from tests.integration import api_client, chords, operators
from tests.integration.api_client import address, body, problem
from tests.integration.mailbox import QUEUE
from tests.integration.operators import kept, operation
from z4j_django import control
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db
Post = Callable[..., Any]
#: Why somebody is not told why.
HIDDEN = (
    "It was refused. Why is for those to read who have the permission z4j_django.view_operation."
)


def poster(client: Client) -> Post:
    """Posts a body to the address of some parts."""

    def post(*parts: Any, **given: Any) -> Any:
        return client.post(address(*parts), json.dumps(given), content_type="application/json")

    return post


@pytest.fixture
def root() -> Post:
    return poster(api_client.client("superuser"))


@pytest.fixture
def hand(request: pytest.FixtureRequest) -> Post:
    """Somebody who may act, and may look at nothing."""
    user = User.objects.create_user("hand")
    codenames = ("retry_task", "cancel_task", "terminate_task", "retry_group", "run_bulk")
    operators.grant(user, *codenames, "purge_queue")
    client = Client()
    client.force_login(user)
    return poster(client)


def assert_one(told: dict[str, Any], verb: str) -> None:
    """What came of a request is one row more, which says who asked and how."""
    newest = Operation.objects.latest("id")
    assert newest.pk == told["id"]
    assert (newest.verb, newest.surface, newest.actor) == (verb, "api", "api-superuser")
    assert newest.user_id == str(User.objects.get(username="api-superuser").pk)


class TestTheTrail:
    """Every write leaves exactly one operation, and what is refused at once leaves none."""

    def test_of_a_task_and_of_many(self, mail_app: celery.Celery, root: Post) -> None:
        for name in ("a", "b", "c", "d"):
            kept(name)
        posted = [
            (("tasks", "a", "retry"), {}, "retry"),
            (("operations",), {"verb": "retry", "task_ids": ["b", "c"]}, "retry"),
            (("operations",), {"verb": "retry", "filter": "state:FAILURE"}, "retry"),
            (("operations",), {"verb": "cancel", "task_ids": ["b"]}, "cancel"),
            (("operations",), {"verb": "terminate", "filter": "id:d"}, "terminate"),
        ]
        for place, (parts, given, verb) in enumerate(posted, start=1):
            assert_one(body(root(*parts, **given), 202), verb)
            assert Operation.objects.count() == place
        for place, verb in enumerate(("cancel", "terminate"), start=len(posted) + 1):
            told = problem(root("tasks", "d", verb), 409)  # it has ended
            assert_one(told["operation"], verb)
            assert Operation.objects.count() == place

    def test_of_a_queue(self, publish: Any, root: Post) -> None:
        publish(1, 2)
        purged = body(root("queues", QUEUE, "purge", confirm=QUEUE), 202)
        assert_one(purged, "purge_queue")
        assert Operation.objects.count() == 1
        assert_one(body(root("queues", QUEUE, "restore", operation=purged["id"]), 202), "restore")
        assert Operation.objects.count() == 2

    def test_of_a_group(self, monkeypatch: pytest.MonkeyPatch, root: Post) -> None:
        chord = chords.chord_of_three(chords.make_app(monkeypatch))
        assert_one(body(root("groups", chord.id, "retry"), 202), "retry_group")
        assert Operation.objects.count() == 1

    def test_an_abort_is_noted_in_the_operation_itself(self, root: Post) -> None:
        kept("a")
        running = operation("retry", ("a",), state="waiting", finished_at=None)
        told = body(root("operations", running.pk, "abort"), 202)
        assert told["parameters"]["aborted_by"] == "api-superuser"
        assert Operation.objects.count() == 1

    def test_a_preview_leaves_none(self, root: Post) -> None:
        kept("a")
        assert root("operations", "preview", filter="state:FAILURE").status_code == 200
        assert not Operation.objects.exists()


class TestBrokers:
    """A project whose broker, or whose app, can't be used at all."""

    ASKED: ClassVar[list[tuple[tuple[str, ...], dict[str, Any]]]] = [
        (("tasks", "a", "retry"), {}),
        (("tasks", "b", "cancel"), {}),
        (("tasks", "c", "terminate"), {}),
        (("queues", QUEUE, "purge"), {"confirm": QUEUE}),
        (("operations",), {"verb": "retry", "filter": "id:a"}),
        (("operations",), {"verb": "retry", "task_ids": ["a"], "rate": 1}),
    ]

    @pytest.fixture(autouse=True)
    def _tasks(self) -> None:
        for name, state in (("a", "FAILURE"), ("b", "PENDING"), ("c", "STARTED")):
            kept(name, state=state)

    @pytest.mark.parametrize(
        "url", ["redis://:hunter2@127.0.0.1:1/0", "nonsense://:hunter2@host", "amqp://x:hunter2@["]
    )
    def test_one_that_can_not_be_used_is_no_error_of_the_server(
        self, mail_app: celery.Celery, publish: Any, root: Post, url: str
    ) -> None:
        publish(1)
        purged = body(root("queues", QUEUE, "purge", confirm=QUEUE), 202)["id"]
        mail_app.conf.broker_url = url
        statuses = []
        asked = [*self.ASKED, (("queues", QUEUE, "restore"), {"operation": purged})]
        for parts, given in asked:
            response = root(*parts, **given)
            statuses.append(response.status_code)
            assert b"hunter2" not in response.content, parts
            if response.status_code == 202:
                assert response.json()["counts"]["failed"] >= 1, response.json()
            else:
                assert problem(response, 409)["type"] == "urn:z4j:refused"
        assert statuses == [202, 202, 202, 409, 202, 202, 202]
        assert set(Operation.objects.values_list("state", flat=True)) == {"finished"}

    def test_an_app_that_is_not_found_is_told(self, root: Post, settings: Any) -> None:
        settings.CELERY_APP = "nowhere:app"
        found = [root(*parts, **given).status_code for parts, given in self.ASKED]
        assert found == [503, 503, 503, 409, 202, 503]
        assert Operation.objects.get().failed == 1


class TestNoGossip:
    """Somebody who may act and may look at nothing."""

    def test_he_is_told_that_it_was_done_and_by_what_number(
        self, mail_app: celery.Celery, hand: Post
    ) -> None:
        kept("a", queue="mail")
        told = body(hand("tasks", "a", "retry", queue="other"), 202)
        assert told["counts"]["done"] == 1
        assert told["id"] == Operation.objects.get().pk
        shown = {name: told[name] for name in ("actor", "parameters", "selection", "targets")}
        assert shown == {"actor": "", "parameters": {}, "selection": None, "targets": []}
        assert told["published"] is None

    def test_he_is_not_told_in_what_state_a_task_is(
        self, mail_app: celery.Celery, hand: Post
    ) -> None:
        kept("a", state="STARTED", worker="w1@secret")
        response = hand("tasks", "a", "retry")
        told = problem(response, 409)
        assert told["detail"] == HIDDEN
        assert told["operation"]["targets"] == []
        assert b"w1@secret" not in response.content
        assert "w1@secret" in Operation.objects.get().targets.get().reason

    def test_nor_what_is_left_of_a_group(self, monkeypatch: pytest.MonkeyPatch, hand: Post) -> None:
        chord = chords.chord_of_three(chords.make_app(monkeypatch))
        chord.turn(0, state="STARTED", worker="w1@secret")
        response = hand("groups", chord.id, "retry")
        assert problem(response, 409)["detail"] == HIDDEN
        assert b"w1@secret" not in response.content

    def test_nor_what_others_have_asked_for(self, hand: Post) -> None:
        theirs = {"actor": "alice@secret", "parameters": {"queue": "secret"}}
        going = {"state": "waiting", "finished_at": None, "selection": {"search": "secret"}}
        running = operation("retry", ("secret",), **theirs, **going)
        response = hand("operations", running.pk, "abort")
        assert body(response, 202)["state"] == "aborted"
        assert b"secret" not in response.content
        over = hand("operations", running.pk, "abort")
        assert problem(over, 409)["detail"] == HIDDEN
        other = operation("cancel", ("secret",), actor="alice@secret").pk
        restored = hand("queues", "mail", "restore", operation=other)
        assert problem(restored, 409)["detail"] == HIDDEN

    @pytest.mark.parametrize("query", ["kwargs.card:4242", "state:FAILURE", "nonsense:"])
    def test_he_can_not_ask_by_a_filter(self, hand: Post, query: str) -> None:
        kept("a", kwargs={"card": "4242"})
        for parts in (("operations", "preview"), ("operations",)):
            given = {"filter": query} | ({"verb": "retry"} if len(parts) == 1 else {})
            told = problem(hand(*parts, **given), 403)
            assert told["detail"] == "The permission z4j_django.view_taskrecord is missing."
        assert not Operation.objects.exists()


class TestTransactions:
    """Under ``ATOMIC_REQUESTS``."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    def test_a_task_is_retried(self, mail_app: celery.Celery, root: Post) -> None:
        kept("a")
        assert body(root("tasks", "a", "retry"), 202)["counts"]["done"] == 1

    def test_a_group_is(self, monkeypatch: pytest.MonkeyPatch, root: Post) -> None:
        chord = chords.chord_of_three(chords.make_app(monkeypatch))
        assert body(root("groups", chord.id, "retry"), 202)["counts"]["done"] == 3

    def test_a_queue_is_purged_and_restored(self, publish: Any, root: Post) -> None:
        publish(1)
        purged = body(root("queues", QUEUE, "purge", confirm=QUEUE), 202)
        restored = body(root("queues", QUEUE, "restore", operation=purged["id"]), 202)
        assert (purged["counts"]["done"], restored["counts"]["done"]) == (2, 2)

    def test_many_are_left_to_a_worker_and_aborted(
        self, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch, root: Post
    ) -> None:
        monkeypatch.setattr(control, "send_bulk", lambda *args: None)
        kept("a")
        waiting = body(root("operations", verb="retry", filter="state:FAILURE", rate=1), 202)
        assert waiting["state"] == "waiting"
        assert body(root("operations", waiting["id"], "abort"), 202)["state"] == "aborted"

    def test_what_was_done_stays_on_record_where_the_answer_fails(
        self, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object) -> None:
            raise RuntimeError("the answer can't be made")

        monkeypatch.setattr("z4j_django.api.serializers.operations.detail", fail)
        kept("a")
        client = api_client.client("superuser")
        client.raise_request_exception = False
        problem(poster(client)("tasks", "a", "retry"), 500)
        assert Operation.objects.get().done == 1


class TestGossip:
    """Who may act and may not look learns nothing of what others did."""

    def test_whether_an_operation_was_a_purge_of_this_queue(self, hand: Post) -> None:
        purge = operation("purge_queue", ("mail",), parameters={"queue": "mail"})
        told = [
            problem(hand("queues", name, "restore", operation=number), 409)["detail"]
            for name, number in (("a", purge.pk), ("mail", purge.pk), ("mail", 4711))
        ]
        assert told == [HIDDEN] * 3

    def test_whether_there_is_an_operation_that_he_may_not_do(self) -> None:
        user = User.objects.create_user("cancels")
        operators.grant(user, "cancel_task")
        client = Client()
        client.force_login(user)
        running = operation("retry", state="running", finished_at=None)
        post = poster(client)
        told = [problem(post("operations", one, "abort"), 404) for one in (running.pk, 4711)]
        assert len({one["detail"] for one in told}) == 1
