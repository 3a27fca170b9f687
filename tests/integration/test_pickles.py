"""Pickled messages: the chord that a chain leads to is told by the records alone."""

from __future__ import annotations

import pickle
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.integration import operators
from tests.integration.pages import NOW
from z4j_django import operations
from z4j_django.models import GroupRecord, OperationTarget, TaskRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> TaskRecord:
    """The first step of the chain old | middle | last, of which the last feeds a chord."""
    operators.broker_in_memory(monkeypatch)
    queue = f"mail-{uuid.uuid4().hex}"
    record = operators.kept("old", queue=queue, started_at=NOW)
    body = {"task": "total", "subtask_type": None, "options": {"task_id": "the-body"}}
    last = {"task": "b", "options": {"task_id": "last", "group_id": "g", "chord": body}}
    middle = {"task": "a", "options": {"task_id": "middle"}}
    embed = {"chain": [last, middle], "chord": None}
    operators.keep(
        record,
        content_type="application/x-python-serialize",
        content_encoding="binary",
        body=pickle.dumps([[], {}, embed]),
    )
    return record


def retry(**options: Any) -> OperationTarget:
    return operations.retry("old", actor="a test", **options).targets.get()


def on_record(task_id: str, parent_id: str, **fields: Any) -> None:
    TaskRecord.objects.create(task_id=task_id, parent_id=parent_id, **fields)


def chord(first_seen: Any) -> None:
    GroupRecord.objects.create(
        group_id="g", kind="chord", body_id="the-body", first_seen=first_seen
    )


def test_a_step_that_never_ran_tells_of_the_chord(first: TaskRecord) -> None:
    chord(NOW - timedelta(seconds=1))
    on_record("last", "old", group_id="g", chord_id="the-body")
    assert "a member of the chord with the body the-body" in retry().reason
    forced = retry(force=True)
    assert (forced.outcome, forced.result_id) == ("refused", "")
    assert "its body is pickled" in forced.reason


def test_a_step_that_ran_later_in_the_chain_tells_of_the_chord(first: TaskRecord) -> None:
    chord(NOW - timedelta(seconds=1))
    on_record("middle", "old")
    on_record("last", "middle", group_id="g", chord_id="the-body")
    assert retry().outcome == "refused"


def test_a_task_that_the_first_step_called_is_no_step_of_it(first: TaskRecord) -> None:
    chord(NOW - timedelta(seconds=1))
    on_record("called", "old", group_id="g", chord_id="the-body")
    assert retry().outcome == "done"


def test_a_chord_that_the_chain_itself_starts_is_not_in_the_way(first: TaskRecord) -> None:
    chord(NOW + timedelta(seconds=1))
    on_record("last", "old", group_id="g", chord_id="the-body")
    target = retry()
    assert (target.outcome, target.reason) == (
        "done",
        "Its body is pickled and never unpickled: tasks that follow keep their ids.",
    )
