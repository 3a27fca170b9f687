"""Where a retried task goes, and what is told where the broker does not take it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.integration import operators
from tests.integration.operators import keep
from tests.integration.test_tasks import published, refused, retry
from z4j_django import operations
from z4j_django.control import publishing
from z4j_django.models import OperationTarget

pytestmark = pytest.mark.django_db


def test_another_queue_is_used_where_it_is_asked_for(queue: str) -> None:
    operators.kept("old", queue=queue)
    assert retry("old", queue=f"{queue}-other").outcome == "done"
    assert published(queue) == []
    assert len(published(f"{queue}-other")) == 1


def test_a_queue_that_the_app_would_not_make_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = operators.broker_in_memory(monkeypatch)
    app.conf.task_create_missing_queues = False
    operators.kept("old", queue="celery")
    assert "The app has no queue 'other'" in refused("old", queue="other")


def test_an_exchange_without_a_queue_would_drop_it_and_is_refused(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    keep(record, exchange=f"gone-{queue}", routing_key="key")
    assert "The broker has no queue of the exchange" in refused("old")


def test_a_broker_that_is_away_is_told_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    app = operators.broker_in_memory(monkeypatch)
    app.conf.broker_url = "redis://:hunter2@127.0.0.1:1/0"
    operators.kept("old")
    target = retry("old")
    assert (target.outcome, target.result_id) == ("failed", "")
    assert "hunter2" not in target.reason


def test_a_broker_that_does_not_answer_is_told_as_unknown_with_the_new_id(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any, **kwargs: Any) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr(publishing.Publisher, "publish", hang)
    operators.kept("old", queue=queue)
    target = retry("old")
    assert target.outcome == "unknown"
    assert uuid.UUID(target.result_id)


def test_a_connection_that_never_opens_is_told_as_a_failure_and_the_rest_is_not_tried(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any) -> None:
        raise TimeoutError("no answer within 10 s")

    monkeypatch.setattr(publishing, "_open", hang)
    operators.kept("old", queue=queue)
    operators.kept("other", queue=queue)
    operation = operations.retry(["old", "other"], actor="a test")
    first, second = operation.targets.order_by("position")
    assert (first.outcome, first.result_id) == ("failed", "")
    assert first.reason == (
        "The broker could not be reached (no answer within 10 s); nothing was published."
    )
    assert (second.outcome, second.result_id) == ("refused", "")
    assert published(queue) == []


def test_the_new_id_is_written_down_before_it_is_published(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def look(self: Any, raw: publishing.Raw, **kwargs: Any) -> None:
        seen.append(OperationTarget.objects.get().result_id)
        assert seen == [raw.headers["id"]]

    monkeypatch.setattr(publishing.Publisher, "publish", look)
    operators.kept("old", queue=queue)
    assert retry("old").result_id == seen[0]
