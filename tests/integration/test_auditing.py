"""The one way in for every write, with acts that do nothing but say what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget
from z4j_django.operations import auditing

pytestmark = pytest.mark.django_db


def begin(targets: Sequence[str] = ("a", "b", "c"), **changes: object) -> Operation:
    options: dict = {"actor": "a test", "surface": "python", **changes}
    return auditing.begin("retry", targets, **options)


def outcomes(operation: Operation) -> dict[str, tuple[str, str]]:
    rows = operation.targets.order_by("position").values_list("target", "outcome", "reason")
    return {target: (outcome, reason) for target, outcome, reason in rows}


def counts(operation: Operation) -> tuple[int, int, int, int]:
    operation.refresh_from_db()
    return operation.done, operation.refused, operation.failed, operation.unknown


def test_each_target_has_its_own_outcome_and_all_are_counted() -> None:
    said = {
        "a": auditing.done(result_id="a2"),
        "b": auditing.refused("It is STARTED."),
        "c": auditing.unknown("Nobody answered."),
    }
    operation = auditing.carry_out(
        begin(), lambda targets: [said[target.target] for target in targets]
    )
    assert outcomes(operation) == {
        "a": ("done", ""),
        "b": ("refused", "It is STARTED."),
        "c": ("unknown", "Nobody answered."),
    }
    assert counts(operation) == (1, 1, 0, 1)
    assert (operation.state, operation.total) == ("finished", 3)
    assert operation.finished_at is not None
    assert operation.targets.get(target="a").result_id == "a2"


def test_a_target_that_is_named_twice_is_acted_on_once() -> None:
    seen: list[str] = []

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        seen.extend(target.target for target in targets)
        return [auditing.done()] * len(targets)

    auditing.carry_out(begin(["a", "b", "a", ""]), act, at_once=10)
    assert seen == ["a", "b"]


def test_what_an_act_raises_is_the_outcome_of_its_targets_and_the_rest_goes_on() -> None:
    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        if targets[0].target == "a":
            raise TimeoutError("no answer within 5 s")
        if targets[0].target == "b":
            raise ConnectionError("refused by amqp://shop:hunter2@broker//")
        return [auditing.done()]

    operation = auditing.carry_out(begin(), act)
    found = outcomes(operation)
    assert found["a"] == ("unknown", "no answer within 5 s")
    assert found["b"][0] == "failed"
    assert found["b"][1].startswith("ConnectionError: refused by amqp://")
    assert "hunter2" not in found["b"][1]
    assert found["c"] == ("done", "")


def test_without_a_target_nothing_is_written_down() -> None:
    with pytest.raises(OperationError, match="no target was given"):
        begin([])
    assert not Operation.objects.exists()


def test_without_the_permission_nothing_is_written_down() -> None:
    with pytest.raises(PermissionDenied):
        begin(actor=User.objects.create_user("guest"))
    assert not Operation.objects.exists()
    assert not LogEntry.objects.exists()


def test_what_a_user_does_stands_in_djangos_own_log_too() -> None:
    boss = User.objects.create_superuser("boss")
    operation = begin(actor=boss, surface="admin")
    assert (operation.actor, operation.user_id) == ("boss", str(boss.pk))
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (boss, str(operation.pk))
    assert entry.get_change_message() == "Retry: a, b and 1 more"
    begin(actor="a program")
    assert LogEntry.objects.count() == 1


def test_an_operation_that_is_aborted_leaves_the_rest_undone() -> None:
    operation = begin()

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        Operation.objects.filter(pk=operation.pk).update(abort_requested=True)
        return [auditing.done()]

    auditing.carry_out(operation, act)
    assert [outcome for outcome, _ in outcomes(operation).values()] == [
        "done",
        "pending",
        "pending",
    ]
    assert (operation.state, operation.done) == ("aborted", 1)


def test_one_that_goes_on_for_a_killed_process_does_nothing_twice() -> None:
    operation = begin()
    first, second, _ = operation.targets.order_by("position")
    auditing.settle(first, auditing.done())
    OperationTarget.objects.filter(pk=second.pk).update(outcome="acting", result_id="b2")
    seen: list[str] = []

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        seen.extend(target.target for target in targets)
        return [auditing.done()]

    auditing.carry_out(operation, act)
    assert seen == ["c"]
    found = outcomes(operation)
    assert found["b"][0] == "unknown"
    assert "killed meanwhile" in found["b"][1]
    assert operation.targets.get(target="b").result_id == "b2"
    assert counts(operation) == (2, 0, 0, 1)


def test_two_processes_do_not_act_on_one_target_and_the_later_one_ends_quietly() -> None:
    operation = begin()

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        OperationTarget.objects.filter(operation=operation, target="b").update(outcome="acting")
        return [auditing.done()]

    left = auditing.carry_out(operation, act)
    assert (left.state, left.finished_at) == ("running", None)
    assert [outcome for outcome, _ in outcomes(operation).values()] == ["done", "acting", "pending"]


def test_of_targets_that_are_begun_together_all_are_left_alone_where_one_is_taken() -> None:
    operation = begin()
    targets = list(operation.targets.all())
    OperationTarget.objects.filter(operation=operation, target="b").update(outcome="acting")
    with pytest.raises(auditing.TakenOverError):
        auditing._act(targets, lambda targets: pytest.fail("It was acted on."), None)
    assert [outcome for outcome, _ in outcomes(operation).values()] == [
        "pending",
        "acting",
        "pending",
    ]


def test_what_another_process_found_of_a_target_stands() -> None:
    operation = begin()

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        operation.targets.filter(target="a").update(outcome="unknown", reason=auditing.CUT_OFF)
        return [auditing.done()]

    assert auditing.carry_out(operation, act).finished_at is None
    assert outcomes(operation)["a"] == ("unknown", auditing.CUT_OFF)


@pytest.mark.parametrize("raised", [SoftTimeLimitExceeded, KeyboardInterrupt, SystemExit])
def test_an_act_that_is_interrupted_leaves_its_target_unknown(raised: type) -> None:
    operation = begin()

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        raise raised

    with pytest.raises(raised):
        auditing.carry_out(operation, act)
    found = outcomes(operation)
    assert found["a"][0] == "unknown"
    assert "was interrupted" in found["a"][1]
    assert found["b"] == ("pending", "")


def test_tasks_of_another_project_are_refused() -> None:
    with pytest.raises(OperationError, match=r"Tasks of the project other are operated from there"):
        begin(project="other")
    assert not Operation.objects.exists()
    assert begin(project="default").project == "default"


def test_what_others_add_to_the_parameters_meanwhile_stays() -> None:
    operation = begin(parameters={"queue": "mail"})
    auditing.note(Operation.objects.get(), aborted_by="alice")
    auditing.note(operation, removed=10)
    assert operation.parameters == {"queue": "mail", "aborted_by": "alice", "removed": 10}
    operation.refresh_from_db()
    assert operation.parameters["aborted_by"] == "alice"


class TestTransactions:
    """What can't be rolled back is not begun where its trail could be."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_inside_one_nothing_is_begun(self) -> None:
        with transaction.atomic(), pytest.raises(OperationError, match="inside a transaction"):
            begin()
        assert not Operation.objects.exists()

    def test_nor_where_nothing_is_committed_by_itself(self) -> None:
        transaction.set_autocommit(False)
        try:
            with pytest.raises(OperationError, match="inside a transaction"):
                begin()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_a_claim_that_refuses_leaves_nothing(self) -> None:
        def refuse() -> dict[str, object]:
            raise OperationError("It is done already.")

        with pytest.raises(OperationError, match="done already"):
            begin(claim=refuse)
        assert not Operation.objects.exists()
        assert begin(claim=lambda: {"saved": 3}).parameters == {"saved": 3}
