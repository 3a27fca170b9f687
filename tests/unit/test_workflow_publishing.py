"""Workflows published through Celery: what left, and what stopped it."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import celery
import kombu
import pytest

from tests import messages
from z4j_django.control import workflow_publishing
from z4j_django.exceptions import OperationError
from z4j_django.operations import workflow


class Unpublishable(celery.Task):
    """The broker goes away when it is published."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("the broker went away")


class Endless(celery.Task):
    """The broker does not answer when it is published."""

    answer = threading.Event()

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        self.answer.wait()


def nothing() -> None:
    """What the tasks do."""


@pytest.fixture
def app() -> celery.Celery:
    app = celery.Celery("test", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_default_queue = f"work-{uuid.uuid4().hex}"
    for name, base in (("fine", celery.Task), ("gone", Unpublishable), ("endless", Endless)):
        app.task(name=name, base=base, shared=False)(nothing)
    return app


def group_of(*names: str) -> workflow.Signature:
    tasks = [
        {
            "task": name,
            "args": [],
            "kwargs": {},
            "options": {"task_id": f"{name} {index}"},
            "subtask_type": None,
            "immutable": False,
        }
        for index, name in enumerate(names)
    ]
    return workflow.group("the group", tasks)


def test_a_whole_workflow_is_published(app: celery.Celery) -> None:
    sent = workflow_publishing.publish(
        app, group_of("fine", "fine"), ["fine 0", "fine 1"], timeout=10.0
    )
    assert (sent.ids, sent.error) == ({"fine 0", "fine 1"}, None)
    found = [one.headers["id"] for one in messages.taken(app.conf.task_default_queue)]
    assert found == ["fine 0", "fine 1"]


def test_of_one_that_stops_halfway_it_is_known_what_left(app: celery.Celery) -> None:
    names = ("fine", "fine", "gone", "fine")
    ids = [f"{name} {index}" for index, name in enumerate(names)]
    sent = workflow_publishing.publish(app, group_of(*names), ids, timeout=10.0)
    assert sent.ids == {"fine 0", "fine 1"}
    assert isinstance(sent.error, ConnectionError)


def test_one_that_takes_too_long_is_not_waited_for(app: celery.Celery) -> None:
    sent = workflow_publishing.publish(
        app, group_of("fine", "endless"), ["fine 0", "endless 1"], timeout=3.0
    )
    Endless.answer.set()
    assert sent.ids == {"fine 0"}
    assert isinstance(sent.error, TimeoutError)


def test_messages_of_others_are_not_taken_for_its_own(app: celery.Celery) -> None:
    sent = workflow_publishing.publish(app, group_of("fine"), ["somebody else's"], timeout=10.0)
    assert sent.ids == frozenset()


def test_tasks_that_run_where_they_are_called_are_refused(app: celery.Celery) -> None:
    workflow_publishing.require_canvas(app)
    app.conf.task_always_eager = True
    with pytest.raises(OperationError, match="task_always_eager is on"):
        workflow_publishing.require_canvas(app)


def test_a_queue_that_may_not_be_made_is_refused(app: celery.Celery) -> None:
    assert workflow_publishing.queue_for(app, "", "any") == "any"
    app.conf.task_create_missing_queues = False
    with pytest.raises(OperationError, match="The app has no queue 'any'"):
        workflow_publishing.queue_for(app, "", "any")
    default = app.conf.task_default_queue
    assert workflow_publishing.queue_for(app, "", default) == default


def test_of_an_exchange_the_queue_with_its_key_is_declared_or_any_other(
    app: celery.Celery,
) -> None:
    mail = kombu.Exchange("mail", type="topic")
    app.conf.task_queues = [
        kombu.Queue("all mail", mail, routing_key="mail.#"),
        kombu.Queue("letters", mail, routing_key="mail.letter"),
    ]
    assert workflow_publishing.queue_for(app, "mail", "mail.letter") == "letters"
    assert workflow_publishing.queue_for(app, "mail", "mail.parcel") == "all mail"
    with pytest.raises(OperationError, match="no queue of the exchange 'fax'"):
        workflow_publishing.queue_for(app, "fax", "fax.page")


def test_arguments_that_a_task_no_longer_takes_are_refused(app: celery.Celery) -> None:
    workflow_publishing.require_callable(app, "fine", [], {})
    workflow_publishing.require_callable(app, "known elsewhere", [1], {})
    with pytest.raises(OperationError, match=r"fine does not take its arguments \(any more\)"):
        workflow_publishing.require_callable(app, "fine", [1], {})


def test_serializers_are_known_by_what_they_write() -> None:
    assert workflow_publishing.serializer_of("application/json") == "json"
    with pytest.raises(OperationError, match="no serializer here for 'text/odd'"):
        workflow_publishing.serializer_of("text/odd")
