"""Bulk operations: what is refused, what is frozen, who does it, and who goes on with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from tests.integration.operators import broker_in_memory
from z4j_django import control, operations
from z4j_django import tasks as z4j_tasks
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord
from z4j_django.operations import auditing, bulk_operations, tasks
from z4j_django.queries.selection import Selection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("handed_over")]
FAILED = Selection("default", state="FAILURE")


def remember(count: int, state: str = "FAILURE") -> None:
    TaskRecord.objects.bulk_create(
        [TaskRecord(task_id=f"{state}-{n:05}", state=state) for n in range(count)]
    )


def retry(**options: Any) -> Operation:
    return operations.bulk("retry", actor="a test", **options)


def test_few_are_done_at_once_and_each_has_its_outcome(handed_over: list[int]) -> None:
    remember(3)
    operation = retry(selection=FAILED)
    assert (operation.state, operation.total, operation.refused) == ("finished", 3, 3)
    assert "capped" not in operation.parameters
    newest = TaskRecord.objects.latest("id").pk
    frozen = {**operation.selection, "asked_at": ""}
    expected = {"project": "default", "state": "FAILURE", "until": newest, "asked_at": ""}
    assert frozen == expected
    assert datetime.fromisoformat(operation.selection["asked_at"]) <= timezone.now()
    reasons = set(operation.targets.values_list("reason", flat=True))
    assert len(reasons) == 1
    assert "message" in reasons.pop()  # none is kept of a task that was never received
    assert handed_over == []


def test_a_signal_may_be_said_shortly_of_many_too() -> None:
    remember(1)
    operation = operations.bulk("terminate", actor="a test", selection=FAILED, signal="kill")
    assert operation.parameters["signal"] == "SIGKILL"


def test_many_are_left_to_a_worker(handed_over: list[int]) -> None:
    remember(bulk_operations.INLINE + 1)
    operation = retry(selection=FAILED)
    assert (operation.state, operation.total) == ("waiting", bulk_operations.INLINE + 1)
    assert handed_over == [operation.pk]
    assert bulk_operations.carry_on(operation.pk) is None
    operation.refresh_from_db()
    assert (operation.state, operation.refused) == ("finished", bulk_operations.INLINE + 1)
    assert bulk_operations.carry_on(operation.pk) is None


def test_many_are_done_here_where_that_is_asked_for(handed_over: list[int]) -> None:
    remember(bulk_operations.INLINE + 1)
    seen: list[tuple[int, int]] = []
    operation = retry(
        selection=FAILED, here=True, progress=lambda done, total: seen.append((done, total))
    )
    assert operation.state == "finished"
    assert seen[-1] == (bulk_operations.INLINE + 1, bulk_operations.INLINE + 1)
    assert handed_over == []


def test_a_broker_that_is_away_leaves_no_operation_that_waits_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: object) -> None:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(control, "send_bulk", refuse)
    remember(bulk_operations.INLINE + 1)
    operation = retry(selection=FAILED)
    assert (operation.state, operation.failed) == ("finished", bulk_operations.INLINE + 1)
    reason = operation.targets.order_by("position")[0].reason
    assert reason == "The broker did not take the work: ConnectionError: nobody there"


def test_a_selection_takes_in_nothing_that_comes_after_the_preview() -> None:
    remember(2)
    seen = operations.preview(FAILED)
    assert (seen.count, seen.capped, len(seen.sample)) == (2, False, 2)
    TaskRecord.objects.create(task_id="late", state="FAILURE")
    operation = retry(selection=seen.selection)
    assert operation.total == 2
    assert not operation.targets.filter(target="late").exists()


@override_settings(Z4J={"BULK_LIMIT": 5})
def test_a_selection_is_capped_and_ids_past_the_limit_are_refused() -> None:
    remember(7)
    seen = operations.preview(FAILED)
    assert (seen.count, seen.capped) == (5, True)
    operation = retry(selection=FAILED)
    assert operation.total == 5
    assert operation.parameters["capped"] is True
    assert set(operation.targets.values_list("target", flat=True)) == {
        f"FAILURE-0000{n}" for n in range(2, 7)
    }
    with pytest.raises(OperationError, match=r"6 tasks are more than .* allows at once, 5"):
        retry(task_ids=[str(n) for n in range(6)])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: retry(selection=Selection("default")), "An empty filter would mean every task"),
        (lambda: operations.preview(Selection("default")), "An empty filter would mean"),
        (
            lambda: operations.preview(Selection("default", search="project:default")),
            "An empty filter would mean",
        ),
        (
            lambda: retry(selection=Selection("default", search="state:LOST")),
            'At 1, "state:LOST": expected a state',
        ),
        (
            lambda: retry(selection=Selection("default", search="runtime:>5s")),
            "runtime:>5s: there is no index for this. Put a term beside it",
        ),
        (lambda: retry(), "Give either task ids or a selection."),
        (lambda: retry(task_ids=["a"], selection=FAILED), "Give either task ids or a selection."),
        (lambda: retry(task_ids=[]), "no target was given"),
        (
            lambda: retry(task_ids=["a"], rate=0),
            "rate: This has to be a number from 0.01 to 100,000",
        ),
        (lambda: retry(task_ids=["a"], args=[1]), "args: This can't be said of many at once."),
        (
            lambda: operations.bulk("purge_queue", actor="a test", task_ids=["a"]),
            "purge_queue can't be done in bulk; retry, cancel, terminate can.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_as_a_whole(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(OperationError, match=message):
        ask()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("codename", ["retry_task", "run_bulk"])
def test_it_wants_the_permission_of_the_verb_and_its_own(codename: str) -> None:
    remember(1)
    user = User.objects.create_user("half an operator")
    user.user_permissions.add(Permission.objects.get(codename=codename))
    with pytest.raises(PermissionDenied):
        operations.bulk("retry", actor=user, selection=FAILED)
    assert not Operation.objects.exists()


class TestGoingOn:
    """What a worker does with an operation that it is told about."""

    @pytest.fixture
    def operation(self) -> Operation:
        return auditing.begin(
            "retry", ["a", "b"], actor="a test", surface="python", selection={}, waiting=True
        )

    def test_one_that_another_process_carries_out_is_left_alone(self, operation: Operation) -> None:
        Operation.objects.filter(pk=operation.pk).update(state="running", updated_at=timezone.now())
        assert bulk_operations.carry_on(operation.pk) == bulk_operations.LOOK_AGAIN
        assert operation.targets.filter(outcome="pending").count() == 2

    def test_one_whose_process_has_been_silent_is_taken_over(self, operation: Operation) -> None:
        long_ago = timezone.now() - timedelta(seconds=bulk_operations.SILENCE + 1)
        Operation.objects.filter(pk=operation.pk).update(state="running", updated_at=long_ago)
        operation.targets.filter(target="a").update(outcome="acting")
        assert bulk_operations.carry_on(operation.pk) is None
        operation.refresh_from_db()
        assert (operation.unknown, operation.refused) == (1, 1)

    def test_one_that_is_not_there_is_told(self) -> None:
        with pytest.raises(LookupError, match="There is no bulk operation 4711"):
            bulk_operations.carry_on(4711)

    def test_one_whose_arguments_are_not_kept_is_not_gone_on_with(self) -> None:
        chosen = auditing.begin("retry", ["a"], actor="a test", surface="python", waiting=True)
        with pytest.raises(LookupError, match="There is no bulk operation"):
            bulk_operations.carry_on(chosen.pk)
        assert chosen.targets.get().outcome == "pending"

    def test_what_is_not_done_in_time_is_left_for_the_next_turn(self, operation: Operation) -> None:
        assert bulk_operations.carry_on(operation.pk, seconds=0) == 0.0
        operation.refresh_from_db()
        assert operation.state == "waiting"
        assert operation.targets.filter(outcome="pending").count() == 1
        assert bulk_operations.carry_on(operation.pk, seconds=0) == 0.0
        assert bulk_operations.carry_on(operation.pk, seconds=0) is None
        operation.refresh_from_db()
        assert (operation.state, operation.refused) == ("finished", 2)

    def test_a_soft_time_limit_leaves_the_rest_for_the_next_turn(
        self, operation: Operation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run_out(*args: object) -> None:
            raise SoftTimeLimitExceeded

        with monkeypatch.context() as patch:
            patch.setattr(tasks._Retry, "claim", lambda self, targets: {})
            patch.setattr(tasks._Retry, "__call__", run_out)
            assert bulk_operations.carry_on(operation.pk) == 0.0
        assert bulk_operations.carry_on(operation.pk) is None
        operation.refresh_from_db()
        assert (operation.state, operation.unknown, operation.refused) == ("finished", 1, 1)

    def test_one_that_comes_before_a_target_is_begun_leaves_it_for_then_too(
        self, operation: Operation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run_out(*args: object) -> None:
            raise SoftTimeLimitExceeded

        with monkeypatch.context() as patch:
            patch.setattr(tasks._Retry, "claim", run_out)
            assert bulk_operations.carry_on(operation.pk) == 0.0
        assert operation.targets.filter(outcome="pending").count() == 2

    def test_the_later_of_two_workers_ends_quietly(
        self, operation: Operation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lose(*args: object, **options: object) -> None:
            raise auditing.TakenOverError

        monkeypatch.setattr(auditing, "steps", lose)
        assert bulk_operations.carry_on(operation.pk) == bulk_operations.LOOK_AGAIN
        operation.refresh_from_db()
        assert (operation.state, operation.finished_at) == ("running", None)

    @pytest.mark.parametrize("project_limit", [None, 10])
    def test_its_turn_ends_well_before_a_limit_of_the_project(
        self, operation: Operation, monkeypatch: pytest.MonkeyPatch, project_limit: float | None
    ) -> None:
        turns: list[float] = []
        monkeypatch.setattr(bulk_operations, "carry_on", lambda pk, seconds: turns.append(seconds))
        with monkeypatch.context() as patch:
            if project_limit is not None:
                patch.setattr(z4j_tasks.bulk, "time_limit", project_limit)
            z4j_tasks.bulk(operation.pk)
        assert turns == [bulk_operations.SLICE if project_limit is None else 5]

    def test_one_that_waits_is_over_as_soon_as_it_is_aborted(self, operation: Operation) -> None:
        aborted = operations.abort(operation.pk, actor="a test")
        assert (aborted.state, aborted.done) == ("aborted", 0)
        assert bulk_operations.carry_on(operation.pk) is None
        assert operation.targets.filter(outcome="pending").count() == 2
        with pytest.raises(OperationError, match="is aborted; it can't be aborted"):
            operations.abort(operation.pk, actor="a test")

    def test_only_who_may_do_it_may_abort_it(self, operation: Operation) -> None:
        with pytest.raises(PermissionDenied):
            operations.abort(operation.pk, actor=User.objects.create_user("guest"))
        with pytest.raises(OperationError, match="There is no operation 4711"):
            operations.abort(4711, actor="a test")

    def test_one_whose_process_is_dead_is_over_as_soon_as_it_is_aborted(self) -> None:
        operation = auditing.begin("retry", ["a", "b", "c"], actor="a test", surface="python")
        operation.targets.filter(target="a").update(outcome="done")
        operation.targets.filter(target="b").update(outcome="acting")
        assert operations.abort(operation.pk, actor="a test").finished_at is None
        long_ago = timezone.now() - timedelta(seconds=bulk_operations.SILENCE + 1)
        Operation.objects.filter(pk=operation.pk).update(updated_at=long_ago)
        aborted = operations.abort(operation.pk, actor="a test")
        assert (aborted.state, aborted.done, aborted.unknown) == ("aborted", 1, 1)
        assert operation.targets.get(target="b").reason == auditing.CUT_OFF
        assert operation.targets.get(target="c").outcome == "pending"

    def test_who_aborted_it_is_on_record(
        self, operation: Operation, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "z4j_django.operations")
        boss = User.objects.create_superuser("boss")
        aborted = operations.abort(operation.pk, actor=boss)
        assert aborted.parameters["aborted_by"] == "boss"
        assert LogEntry.objects.get(user=boss).get_change_message() == "Retry: aborted"
        assert f"{operation}: boss asked for its abort." in caplog.messages


class TestTransactions:
    """A worker, or whoever asks, that is inside a transaction."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_nothing_is_handed_over(self, handed_over: list[int]) -> None:
        remember(bulk_operations.INLINE + 1)
        with transaction.atomic(), pytest.raises(OperationError, match="inside a transaction"):
            retry(selection=FAILED)
        assert handed_over == []
        assert not Operation.objects.exists()

    def test_nothing_is_carried_out(self) -> None:
        operation = auditing.begin(
            "retry", ["a"], actor="a test", surface="python", selection={}, waiting=True
        )
        with transaction.atomic(), pytest.raises(OperationError, match="inside a transaction"):
            bulk_operations.carry_on(operation.pk)
        assert operation.targets.get().outcome == "pending"


class TestWithoutWorkers:
    """Apps whose workers would not do it."""

    @pytest.mark.parametrize("why", ["eager", "unregistered"])
    def test_it_is_done_here(
        self, handed_over: list[int], why: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = broker_in_memory(monkeypatch)
        if why == "eager":
            app.conf.task_always_eager = True
        else:
            app.tasks.unregister(control.BULK_TASK)
        remember(bulk_operations.INLINE + 1)
        operation = retry(selection=FAILED)
        assert (operation.state, operation.refused) == ("finished", bulk_operations.INLINE + 1)
        assert handed_over == []
