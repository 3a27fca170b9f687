"""A task that was retried is not retried once more by mistake."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.integration import operators
from z4j_django import operations
from z4j_django.models import OperationTarget, TaskRecord

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def failed(monkeypatch: pytest.MonkeyPatch) -> TaskRecord:
    """A task that can be retried."""
    operators.broker_in_memory(monkeypatch)
    return operators.kept("old", queue=f"mail-{uuid.uuid4().hex}")


def retry(**options: bool) -> OperationTarget:
    return operations.retry("old", actor="a test", **options).targets.get()


def test_a_second_retry_is_refused_and_names_the_first() -> None:
    first = retry()
    second = retry()
    assert (first.outcome, second.outcome, second.result_id) == ("done", "refused", "")
    assert second.reason == (
        f"Operation {first.operation_id} has retried it as {first.result_id}, which is not on "
        "record yet. With force it is retried once more."
    )
    assert retry(force=True).outcome == "done"


def test_one_whose_outcome_is_unknown_counts_too() -> None:
    first = retry()
    OperationTarget.objects.filter(pk=first.pk).update(outcome="unknown")
    assert retry().outcome == "refused"


@pytest.mark.parametrize("state", ["STARTED", "FAILURE", "SUCCESS"])
def test_once_a_retry_is_on_record_that_one_is_to_be_retried(state: str) -> None:
    first = retry()
    OperationTarget.objects.update(at=timezone.now() - timedelta(days=1))
    TaskRecord.objects.create(
        task_id=first.result_id, state=state, worker="w1@here", retry_of="old"
    )
    again = retry()
    assert again.outcome == "refused"
    assert f"It was retried already, as {first.result_id}, which is {state}" in again.reason
    assert retry(force=True).outcome == "done"


def test_all_failures_can_be_retried_again_and_again_and_none_is_run_twice() -> None:
    first = retry()
    newer = operators.kept(first.result_id, state="FAILURE", retry_of="old")
    failures = ["old", newer.task_id]
    found = operations.bulk("retry", actor="a test", task_ids=failures).targets
    outcomes = dict(found.values_list("target", "outcome"))
    assert outcomes == {"old": "refused", newer.task_id: "done"}


def test_a_replay_of_its_result_is_no_retry() -> None:
    TaskRecord.objects.create(
        task_id="replay", name="z4j_django.replay", state="SUCCESS", retry_of="old"
    )
    assert retry().outcome == "done"


def test_what_never_came_on_record_is_not_waited_for() -> None:
    retry()
    OperationTarget.objects.update(at=timezone.now() - timedelta(minutes=6))
    assert retry().outcome == "done"


def test_a_retry_that_failed_does_not_stand_in_the_way() -> None:
    first = retry()
    OperationTarget.objects.filter(pk=first.pk).update(outcome="failed", result_id="")
    assert retry().outcome == "done"
