"""What would come of many tasks, told in few queries: the same as of each by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from tests.integration import operators
from z4j_django.models import OperationTarget, TaskPayload, TaskRecord, WorkerRecord
from z4j_django.operations import tallies, tasks
from z4j_django.operations.tallies import Tally

pytestmark = pytest.mark.django_db

STATES = ("PENDING", "RECEIVED", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED")


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks of which some can be acted on, and some not, for all reasons there are."""
    operators.broker_in_memory(monkeypatch)
    WorkerRecord.objects.create(hostname="solo@h", pool="solo")
    WorkerRecord.objects.create(hostname="w@h", pool="prefork")
    for number, state in enumerate(STATES):
        operators.kept(f"t{number}", state=state, worker=("w@h", "solo@h")[number % 2])
    operators.kept("solo", state="STARTED", worker="solo@h")
    for task_id in ("again", "twice", "body"):
        operators.kept(task_id)
    made = {"state": "SUCCESS", "name": "shop.pay"}
    TaskRecord.objects.create(task_id="again2", retry_of="again", **made)
    TaskRecord.objects.create(task_id="twice2", retry_of="twice", **made)
    TaskRecord.objects.create(task_id="twice3", retry_of="twice", state="FAILURE", name="shop.pay")
    TaskRecord.objects.create(task_id="theirs", retry_of="body", state="SUCCESS", project="other")
    operators.kept("just now")
    operators.operation("retry", ("just now",), state="running", finished_at=None)
    OperationTarget.objects.update(outcome="acting", result_id="new", at=timezone.now())
    operators.kept("large")
    TaskPayload.objects.filter(task_id="large").update(sealed=b"")
    TaskRecord.objects.create(task_id="lost", name="shop.pay", state="FAILURE")
    member = operators.kept("member", chord_id="b")
    body = b'[[], {}, {"chord": {"task": "shop.tell", "options": {"task_id": "b"}}}]'
    operators.keep(member, body=body, headers={**operators.HEADERS, "id": "member"})
    return [*TaskRecord.objects.filter(project="default").values_list("task_id", flat=True), "no"]


@pytest.mark.parametrize("verb", ["retry", "cancel", "terminate"])
@pytest.mark.parametrize("force", [False, True])
def test_it_refuses_what_the_verb_itself_would_refuse(
    some: list[str], verb: str, force: bool, django_assert_max_num_queries: Any
) -> None:
    options = {"force": True} if force and verb == "retry" else {}
    one_by_one = Counter(
        outcome.result for _, outcome in tasks.preview(verb, "default", some, options)
    )
    with django_assert_max_num_queries(2):
        found = tallies.of(verb, "default", some, force=bool(options))
    assert found.looked_at == len(some)
    assert (found.willing, found.refused.total()) == (one_by_one["done"], one_by_one["refused"])


def test_it_says_why_and_what_became_of_those_that_were_retried(some: list[str]) -> None:
    found = tallies.of("retry", "default", some)
    assert found.refused == {
        "under way still": 5,
        "retried already": 3,
        "without its message, which was not kept": 5,
        "of a chord, which is to be retried as a whole": 1,
        "not on record": 1,
    }
    assert found.recovered == 1
    assert found.told == "19 tasks: 4 will be acted on, 15 refused."
    assert found.words[-1] in ("1 not on record", "1 of a chord, which is to be retried as a whole")


def test_of_none_nothing_is_said() -> None:
    assert tallies.of("retry", "default", []) == Tally(0)
