"""How long a worker lets a task run, as its receipt tells it and as the record keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from celery import Celery
from celery.signals import task_received, worker_ready
from celery.worker.request import Request

from tests.messages import taken
from tests.recording import Recorder, recording
from tests.unit.test_folding import event, row_of
from z4j_django.agent import events

app = Celery("limits", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task
def free() -> None: ...


@app.task(time_limit=90, soft_time_limit=60)
def hard() -> None: ...


@app.task(soft_time_limit=0.5)
def soft() -> None: ...


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as found, app.connection_for_write():
        app.set_current()
        yield found


def received(recorder: Recorder, task: Any, headers: dict[str, Any], **options: Any) -> Any:
    """The receipt of a task that was published with these options."""
    task.apply_async(queue="limits", **options)
    [message] = taken("limits")
    message.headers.update(headers)
    task_received.send(sender=app, request=Request(message, app=app, headers=message.headers))
    return recorder.events[-1]


@pytest.mark.parametrize(
    ("task", "options", "limit"),
    [
        (free, {}, None),
        (hard, {}, 90),
        (soft, {}, 1),
        (hard, {"time_limit": 10}, 10),
        (hard, {"soft_time_limit": 5}, 90),
        (soft, {"soft_time_limit": 7.2}, 8),
        (free, {"time_limit": 0}, None),
        (free, {"time_limit": 1e12}, None),
    ],
)
def test_a_receipt_tells_what_ends_the_task(
    recorder: Recorder, task: Any, options: dict[str, Any], limit: int | None
) -> None:
    receipt = received(recorder, task, {}, **options)
    assert (receipt.kind, receipt.time_limit) == (events.TASK_RECEIVED, limit)


@pytest.mark.parametrize("value", [[True, None], ["x", {}], [[1], 2], [float("nan"), None]])
def test_a_header_that_is_none_costs_no_receipt(recorder: Recorder, value: Any) -> None:
    receipt = received(recorder, free, {"timelimit": value})
    assert (receipt.kind, receipt.time_limit) == (events.TASK_RECEIVED, None)


@pytest.mark.parametrize(("hard_one", "soft_one", "limit"), [(30, 20, 30), (None, 20, 20)])
def test_a_workers_own_limit_holds_for_what_has_none(
    recorder: Recorder, hard_one: int | None, soft_one: int, limit: int
) -> None:
    worker = Mock(controller=Mock(time_limit=hard_one, soft_time_limit=soft_one))
    worker_ready.send(sender=worker)
    assert received(recorder, free, {}).time_limit == limit
    assert received(recorder, hard, {}).time_limit == 90


def test_the_record_keeps_that_of_the_newest_attempt() -> None:
    first = event(events.TASK_RECEIVED, 1.0, time_limit=60)
    assert row_of(first).time_limit == 60
    assert row_of(first, event(events.TASK_RECEIVED, 2.0, time_limit=90)).time_limit == 90
    assert row_of(first, event(events.TASK_SENT, 2.0, retries=1)).time_limit is None
    assert row_of(event(events.TASK_RECEIVED, 1.0, time_limit=2**40)).time_limit == 2**31 - 1
