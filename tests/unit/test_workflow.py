"""Workflows put together again from messages, as Celery itself wrote them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import celery
import kombu
import pytest
from celery import chain, chord, group
from celery.canvas import Signature, StampingVisitor

from tests import messages
from z4j_django.control.results import REPLAY_TASK
from z4j_django.operations import workflow

#: What differs from one publish to the next.
FRESH = {"id", "root_id", "origin", "z4j"}


class Stamps(StampingVisitor):
    def on_signature(self, sig: Signature, **headers: Any) -> dict[str, Any]:
        return {"customer": "42"}


@pytest.fixture
def app() -> celery.Celery:
    """An app with a queue of its own, in this process."""
    app = celery.Celery("test", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_default_queue = f"work-{uuid.uuid4().hex}"

    @app.task(name="add", shared=False)
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="total", shared=False)
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    return app


def sent(app: celery.Celery, signature: Signature, **options: Any) -> list[kombu.Message]:
    """The messages that it becomes."""
    signature.apply_async(**options)
    return list(messages.taken(options.get("queue", app.conf.task_default_queue)))


def task(app: celery.Celery, name: str, *args: Any) -> Signature:
    return app.signature(name, args=args, app=app)


def shared(**ids: str) -> workflow.Publishing:
    return workflow.Publishing(7, dict(ids))


def body_of(message: kombu.Message) -> list[Any]:
    return list(json.loads(message.body))


def test_a_task_is_sent_again_exactly_as_it_was(app: celery.Celery) -> None:
    signature = task(app, "add", 1)
    signature.kwargs = {"y": {"__type__": "datetime", "__value__": "2026-01-01T00:00:00"}}
    signature.stamp(visitor=Stamps())
    (first,) = sent(
        app,
        signature,
        queue=f"mail-{uuid.uuid4().hex}",
        priority=4,
        time_limit=30,
        soft_time_limit=20,
        ignore_result=True,
        shadow="sum",
        argsrepr="(***)",
        headers={"tenant": "acme"},
        root_id="the root",
        parent_id="the parent",
        link=task(app, "total"),
        link_error=task(app, "total"),
        countdown=60,
        expires=3600,
    )
    message = messages.opened(first)
    publishing = shared()
    (second,) = messages.published(
        app, workflow.run(message, publishing), first.delivery_info["routing_key"]
    )
    changed = {
        name
        for name in first.headers | second.headers
        if first.headers.get(name) != second.headers.get(name)
    }
    assert changed == {"id", "z4j", "eta", "expires"}
    assert (second.headers["eta"], second.headers["expires"]) == (None, None)
    assert second.headers["id"] == publishing.ids[first.headers["id"]] != first.headers["id"]
    assert second.headers["z4j"] == {"retry_of": first.headers["id"], "operation": 7}
    assert second.properties["priority"] == 4
    assert _without_ids(body_of(second)) == _without_ids(body_of(first))


def test_a_message_says_no_more_than_it_did(app: celery.Celery) -> None:
    (first,) = sent(app, task(app, "add", 1, 2))
    (second,) = messages.published(
        app, workflow.run(messages.opened(first), shared()), app.conf.task_default_queue
    )
    for name in (first.headers | second.headers).keys() - FRESH:
        assert second.headers[name] == first.headers[name]
    assert second.headers["root_id"] == second.headers["id"]
    assert body_of(second) == body_of(first)


def test_routes_that_changed_meanwhile_do_not_count(app: celery.Celery) -> None:
    (first,) = sent(app, task(app, "add", 1, 2))
    app.conf.task_routes = {"add": {"exchange": "elsewhere", "routing_key": "x"}}
    app.amqp.flush_routes()
    app.amqp.router = app.amqp.Router()
    (second,) = messages.published(
        app, workflow.run(messages.opened(first), shared()), app.conf.task_default_queue
    )
    assert second.headers["task"] == "add"


def test_the_members_of_a_chord_are_put_into_a_new_one(app: celery.Celery) -> None:
    first = sent(app, chord([task(app, "add", n, n) for n in range(3)], task(app, "total")))
    opened = [messages.opened(one) for one in first]
    group_id = first[0].headers["group"]
    old_body = workflow.chord_body(opened[0], group_id)
    assert old_body is not None
    publishing = shared()
    tasks = [
        workflow.run(opened[0], publishing),
        workflow.replay(opened[1].task_id, REPLAY_TASK, publishing),
        workflow.run(opened[2], publishing),
    ]
    again = workflow.chord("the new group", tasks, workflow.body(old_body, publishing))
    second = messages.published(app, again, app.conf.task_default_queue)
    assert [one.headers["group"] for one in second] == ["the new group"] * 3
    assert [one.headers["group_index"] for one in second] == [0, 1, 2]
    assert [one.headers["task"] for one in second] == ["add", REPLAY_TASK, "add"]
    assert body_of(second[1])[0] == [first[1].headers["id"]]
    body = body_of(second[0])[2]["chord"]
    old_id = old_body["options"]["task_id"]
    assert body["options"]["task_id"] == publishing.ids[old_id] != old_id
    assert body["options"]["group_id"] == "the new group"
    assert body["options"]["headers"] == {"z4j": {"retry_of": old_id, "operation": 7}}


def test_a_body_that_keeps_its_id_is_no_retry_of_itself(app: celery.Celery) -> None:
    (first,) = sent(app, chord([task(app, "add", 1, 1)], task(app, "total")))
    body = workflow.chord_body(messages.opened(first), first.headers["group"])
    assert body is not None
    kept = shared(**{one: one for one in workflow.carried({"chord": body})})
    again = workflow.body(body, kept)
    assert again["options"]["task_id"] == body["options"]["task_id"]
    assert again["options"]["headers"] == {"z4j": {"operation": 7}}


def test_the_rest_of_a_chain_gets_fresh_ids_and_leaves_its_old_group(app: celery.Celery) -> None:
    member = chain(task(app, "add", 1, 1), task(app, "add", 2), task(app, "add", 3))
    first, other = sent(app, group([member, task(app, "add", 5, 5)]))
    again = workflow.run(messages.opened(first), shared())
    assert again["subtask_type"] == "chain"
    steps = again["kwargs"]["tasks"]
    assert [step["args"] for step in steps] == [[1, 1], [2], [3]]
    last = steps[-1]["options"]
    assert not {"group_id", "group_index", "chord"} & last.keys()
    old_id = body_of(first)[2]["chain"][0]["options"]["task_id"]
    assert last["headers"] == {"z4j": {"retry_of": old_id, "operation": 7}}
    second = messages.published(app, workflow.group("new", [again]), app.conf.task_default_queue)
    assert body_of(second[0])[2]["chain"][0]["options"]["group_id"] == "new"
    assert other.headers["group_index"] == 1


def test_a_chain_resumes_after_a_step_whose_result_stands(app: celery.Celery) -> None:
    whole = chain(task(app, "add", 1, 1), task(app, "add", 2))
    (first,) = sent(app, whole)
    steps = workflow.resumed(messages.opened(first), REPLAY_TASK, shared())["kwargs"]["tasks"]
    assert [step["task"] for step in steps] == [REPLAY_TASK, "add"]
    assert steps[0]["args"] == [first.headers["id"]]


def test_replays_go_to_the_queue_for_operations(app: celery.Celery) -> None:
    plain = workflow.replay("a", REPLAY_TASK, shared())
    assert "queue" not in plain["options"]
    routed = workflow.replay("a", REPLAY_TASK, workflow.Publishing(7, {}, "operations"))
    assert routed["options"]["queue"] == "operations"


def test_a_body_tells_the_chord_that_it_is_a_member_of(app: celery.Celery) -> None:
    inner = chord([task(app, "add", 1, 1)], task(app, "total"))
    found = sent(app, chord([inner, task(app, "add", 2, 2)], task(app, "total")))
    outer_id = found[1].headers["group"]
    inner_body = workflow.chord_body(messages.opened(found[0]), found[0].headers["group"])
    outer_body = workflow.chord_body(messages.opened(found[1]), outer_id)
    assert inner_body is not None
    assert outer_body is not None
    assert workflow.outer_chord(inner_body) == outer_id
    assert workflow.outer_chord(outer_body) is None


def _without_ids(value: Any) -> Any:
    """The same, with each id in it told apart from no other."""
    if isinstance(value, dict):
        return {
            key: "an id" if key == "task_id" else _without_ids(item)
            for key, item in value.items()
            if key != "reply_to"
        }
    return [_without_ids(item) for item in value] if isinstance(value, list) else value
