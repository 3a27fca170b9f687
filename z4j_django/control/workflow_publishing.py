"""Workflows, published through Celery's own canvas: counters and sizes are its business."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import celery
from celery import signals
from celery.canvas import Signature
from django.db import connections
from kombu import serialization

from z4j_django.agent import addresses
from z4j_django.control import publishing, results
from z4j_django.exceptions import OperationError
from z4j_django.timeouts import within


@dataclass(frozen=True)
class Sent:
    """What came of publishing a workflow.

    Attributes:
        ids: Tasks whose messages left.
        error: What stopped it halfway.
    """

    ids: frozenset[str]
    error: Exception | None = None


def publish(
    app: celery.Celery,
    workflow: dict[str, Any],
    ids: Collection[str],
    *,
    forget: Sequence[str] = (),
    timeout: float,
) -> Sent:
    """Publish a workflow.

    Args:
        app: The project's app.
        workflow: A signature, as plain data.
        ids: Tasks in it that are published now.
        forget: Tasks in it whose old results are removed first.
        timeout: Seconds in which all of it must be published.
    """
    wanted, sent = frozenset(ids), set[str]()
    lock = threading.Lock()
    looking = app.connection_for_write(connect_timeout=timeout)

    def spare(declare: Any = None, headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
        # Celery declares what is left in the list.
        if declare and (headers or {}).get("id") in wanted:
            declare[:] = publishing.missing(looking, declare)

    def note(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
        task_id = (headers or {}).get("id")
        if task_id in wanted:
            with lock:
                sent.add(task_id)

    def call() -> None:
        try:
            results.forget(app, forget)
            Signature.from_dict(workflow, app=app).apply_async()
        finally:
            connections.close_all()  # of this thread: the result backend may have opened some
            looking.release()

    signals.before_task_publish.connect(spare, weak=False)
    signals.after_task_publish.connect(note, weak=False)
    error = None
    try:
        within(timeout, call)
    except Exception as raised:  # whatever the broker or the result backend raises
        error = raised
    finally:
        signals.after_task_publish.disconnect(note)
        signals.before_task_publish.disconnect(spare)
    with lock:
        return Sent(frozenset(sent), error)


def require_canvas(app: celery.Celery) -> None:
    """See that a workflow can be published at all.

    Raises:
        OperationError: If tasks run in place.
    """
    if app.conf.task_always_eager:
        raise OperationError("task_always_eager is on: tasks run where they are called.")


def queue_for(app: celery.Celery, exchange: str, routing_key: str) -> str:
    """The queue to declare for what is published to an address, so that it is not lost.

    Args:
        app: The project's app.
        exchange: Its name; empty for the default exchange.
        routing_key: Of the default exchange, the queue's name.

    Raises:
        OperationError: If the app knows none, and may not make one.
    """
    queues = app.amqp.queues
    if not exchange:
        if routing_key not in queues and not app.conf.task_create_missing_queues:
            raise OperationError(
                f"The app has no queue {routing_key!r}, and task_create_missing_queues is off."
            )
        return routing_key
    found = addresses.queue_at(queues, exchange, routing_key)
    of_exchange = (name for name, queue in queues.items() if queue.exchange.name == exchange)
    if not found and not (found := next(of_exchange, "")):
        raise OperationError(f"The app has no queue of the exchange {exchange!r} (any more).")
    return str(found)


def require_callable(
    app: celery.Celery, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """See what Celery sees when it publishes: whether a task that is known here takes these.

    Raises:
        OperationError: If it does not.
    """
    task = app.tasks.get(name)
    header = getattr(task, "__header__", None)
    if header is None or not task.typing:
        return
    try:
        header(*args, **kwargs)
    except TypeError as error:
        raise OperationError(f"{name} does not take its arguments (any more): {error}.") from None


def serializer_of(content_type: str) -> str:
    """The name that kombu gives a serializer, by the type of what it writes.

    Raises:
        OperationError: If there is none.
    """
    name = serialization.registry.type_to_name.get(content_type)
    if name is None:
        raise OperationError(f"There is no serializer here for {content_type!r}.")
    return str(name)
