"""Tasks whose worker was lost, retried in bulk: by every surface, and by none unasked."""

from __future__ import annotations

import io
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.integration import api_client, operators
from tests.integration.api_client import body
from tests.integration.pages import text
from tests.messages import taken
from z4j_django import operations
from z4j_django.models import Operation, TaskRecord, WorkerRecord
from z4j_django.queries.selection import Selection

pytestmark = pytest.mark.django_db

LOST = "is:lost"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    """That of two tasks which a worker left behind, and of one that another has."""
    operators.broker_in_memory(monkeypatch)
    made, now = f"lost-{uuid.uuid4().hex}", timezone.now()
    at = now - timedelta(minutes=9)
    WorkerRecord.objects.create(
        hostname="gone@h", online=False, stopped_at=now - timedelta(minutes=5), pid=1
    )
    WorkerRecord.objects.create(hostname="here@h", online=True, last_seen=now, pid=2)
    for task_id, state, worker in (
        ("taken", "RECEIVED", "gone@h"),
        ("begun", "STARTED", "gone@h"),
        ("runs", "STARTED", "here@h"),
    ):
        moments = {"received_at": at, "started_at": at, "sent_at": at}
        operators.kept(task_id, queue=made, state=state, worker=worker, pid=1, **moments)
    return made


def published(queue: str) -> int:
    return len(list(taken(queue)))


def test_without_force_the_preview_says_that_they_may_still_run(queue: str) -> None:
    found = operations.preview(Selection.from_params({"search": LOST}, "default"))
    assert {one.task_id for one in found.sample} == {"taken", "begun"}
    done = operations.bulk("retry", selection=found.selection, actor="a test")
    assert (done.refused, published(queue)) == (2, 0)
    reasons = set(done.targets.values_list("reason", flat=True))
    assert all("it has not ended, and may still run" in reason for reason in reasons)


def test_with_force_python_retries_them(queue: str) -> None:
    found = Selection.from_params({"search": LOST}, "default")
    done = operations.bulk("retry", selection=found, force=True, actor="a test")
    assert (done.done, published(queue)) == (2, 2)
    assert TaskRecord.objects.get(task_id="taken").state == "RECEIVED"  # workers tell the rest


def test_the_api_counts_and_retries_them(queue: str) -> None:
    asks = api_client.client("z4j operator")

    def post(where: str, status: int, **given: Any) -> Any:
        data = json.dumps(given)
        return body(asks.post(where, data, content_type="application/json"), status)

    seen = post("/z4j/api/operations/preview/", 200, filter=LOST)
    assert seen["count"] == 2
    given = {"verb": "retry", "filter": LOST, "force": True}
    assert post("/z4j/api/operations/", 202, **given)["counts"]["done"] == 2
    assert published(queue) == 2


def test_the_command_counts_and_retries_them(queue: str) -> None:
    out = io.StringIO()
    call_command("z4j_retry", search=LOST, force=True, dry_run=True, stdout=out)
    assert "2 of 2 could be." in out.getvalue()
    assert published(queue) == 0
    call_command("z4j_retry", search=LOST, force=True, yes=True, stdout=io.StringIO())
    assert published(queue) == 2


def test_the_admin_tells_and_retries_them(queue: str) -> None:
    client = operators.signed_in("z4j operator")
    where = operators.address("taskrecord_bulk_retry") + "?q=is%3Alost"
    shown = text(client.get(where))
    assert "2 under way still" in shown
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown))
    client.post(where, {**hidden, "force": "on"})
    assert Operation.objects.get().done == 2
    assert published(queue) == 2
