"""Cancel and terminate: what the workers answer, and what that means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import celery
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from z4j_django import operations
from z4j_django.control import broadcasting, remote_control
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord, WorkerRecord
from z4j_django.operations import revoking

pytestmark = pytest.mark.django_db

Replies = dict[str, remote_control.Reply]


def outcome(operation: Operation) -> OperationTarget:
    return operation.targets.get()


class Workers:
    """Stands for the workers that answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: dict[str, dict[str, str]] = {}
        self.after: dict[str, dict[str, str]] | None = None
        self.replies: Replies = {}
        self.told: list[tuple[str, ...]] = []
        self.expected: list[set[str]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        monkeypatch.setattr(remote_control, "look", self.look)
        monkeypatch.setattr(remote_control, "revoke", self.revoke)

    def look(self, app: celery.Celery, ids: Any, **kwargs: Any) -> dict[str, dict[str, str]]:
        self.expected.append(set(kwargs["expected"]))
        return self.after if self.told and self.after is not None else self.found

    def revoke(self, app: celery.Celery, ids: Any, **kwargs: Any) -> Replies:
        self.expected.append(set(kwargs["expected"]))
        self.told.append(tuple(ids))
        self.meanwhile()
        return self.replies


@pytest.fixture
def workers(queue: str, monkeypatch: pytest.MonkeyPatch) -> Workers:
    return Workers(monkeypatch)


def cancel(task_id: str = "t") -> tuple[str, str]:
    target = outcome(operations.cancel(task_id, actor="a test"))
    return target.outcome, target.reason


def terminate(task_id: str = "t", **options: Any) -> tuple[str, str]:
    target = outcome(operations.terminate(task_id, actor="a test", **options))
    return target.outcome, target.reason


def task(state: str, **fields: Any) -> None:
    TaskRecord.objects.create(task_id="t", state=state, **fields)


def test_a_task_in_the_queue_is_refused_by_those_who_answered(workers: Workers) -> None:
    task("PENDING")
    workers.found = {"w1": {}, "w2": {}}
    workers.replies = {"w1": remote_control.Reply(), "w2": remote_control.Reply()}
    assert cancel() == ("done", "It was PENDING; w1, w2 confirmed to refuse it.")


def test_a_task_that_began_on_record_or_in_truth_is_not_cancelled(workers: Workers) -> None:
    task("PENDING")
    workers.found = {"w1": {"t": "active"}}
    words = "It is STARTED on w1; cancel does not stop a running task, terminate does."
    assert cancel() == ("refused", words)
    TaskRecord.objects.update(state="STARTED", worker="w1")
    assert cancel() == ("refused", words)
    assert workers.told == []


def test_a_task_that_began_meanwhile_is_told(workers: Workers) -> None:
    task("RECEIVED", worker="w1")
    workers.found, workers.replies = {"w1": {"t": "reserved"}}, {"w1": remote_control.Reply()}
    workers.after = {"w1": {"t": "active"}}
    assert cancel()[0] == "refused"


def test_a_worker_that_has_it_and_does_not_answer_leaves_it_unknown(workers: Workers) -> None:
    task("RECEIVED", worker="w1")
    workers.found, workers.replies = {"w2": {}}, {"w2": remote_control.Reply()}
    assert cancel() == ("unknown", "w1, which has it, did not answer; w2 did.")


def test_nobody_who_answers_is_unknown(workers: Workers) -> None:
    task("PENDING")
    assert cancel()[0] == terminate()[0] == "unknown"


def test_a_task_that_is_over_in_truth_is_not_terminated(workers: Workers) -> None:
    task("STARTED", worker="w1")
    workers.found = {"w1": {}}
    assert terminate() == (
        "refused",
        "It is STARTED on record, but w1 does not run it (any more).",
    )
    assert workers.told == []


def test_an_error_of_the_worker_is_told(workers: Workers) -> None:
    task("STARTED", worker="w1")
    workers.found = {"w1": {"t": "active"}}
    workers.replies = {"w1": remote_control.Reply(error="NotImplementedError('…')")}
    assert terminate() == ("failed", "The pool of w1 can't end a single task.")
    workers.replies = {"w1": remote_control.Reply(error="ProcessLookupError(3)")}
    assert terminate() == ("failed", "w1: ProcessLookupError(3)")


def test_a_task_in_a_shared_process_is_not_terminated(workers: Workers) -> None:
    task("STARTED", worker="w1")
    WorkerRecord.objects.create(hostname="w1", pool="solo")
    assert terminate() == (
        "refused",
        "It is STARTED on w1, whose pool (solo) can't end a single task.",
    )


@pytest.mark.parametrize("name", ["SIGSTOP", "SIGWHATEVER", "9", "", "SIG", "__class__"])
def test_what_is_no_signal_that_ends_a_task_is_refused(workers: Workers, name: str) -> None:
    task("STARTED", worker="w1")
    with pytest.raises(OperationError, match="signal: This has to be one of: SIGTERM, SIGKILL"):
        operations.terminate("t", actor="a test", signal=name)


def test_a_transport_without_remote_control_is_told(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "has_remote_control", lambda app: False)
    task("PENDING")
    assert cancel() == (
        "refused",
        "The broker's transport has no remote control: no worker hears.",
    )


def online(*hostnames: str, **fields: Any) -> None:
    given = {"online": True, "last_seen": timezone.now(), **fields}
    for hostname in hostnames:
        WorkerRecord.objects.create(hostname=hostname, **given)


def answering(workers: Workers, *hostnames: str) -> None:
    workers.found = {hostname: {} for hostname in hostnames}
    workers.replies = {hostname: remote_control.Reply() for hostname in hostnames}


CONFIRMED = "It was PENDING; w1 confirmed to refuse it"
NO_ANSWER = "No clear answer from w2: it may run there, or have run."


def test_those_on_record_are_waited_for_and_then_those_that_answered(workers: Workers) -> None:
    task("PENDING")
    online("w1")
    online("gone", online=False)
    online("silent", last_seen=timezone.now() - timedelta(minutes=5))
    answering(workers, "w1", "w2")
    assert cancel() == ("done", "It was PENDING; w1, w2 confirmed to refuse it.")
    assert workers.expected == [{"w1"}, {"w1", "w2"}, {"w1", "w2"}]


def test_a_worker_on_record_that_never_answers_leaves_it_unknown(workers: Workers) -> None:
    task("PENDING")
    online("w1", "w2")
    answering(workers, "w1")
    words = f"{CONFIRMED}. {NO_ANSWER}"
    assert cancel() == terminate() == ("unknown", words)


@pytest.mark.parametrize("silent", ["first", "told", "last"])
def test_a_worker_that_answers_only_in_part_leaves_it_unknown(
    workers: Workers, silent: str
) -> None:
    task("PENDING")
    answering(workers, "w1", "w2")
    workers.after = {"w1": {}, "w2": {}}
    given = {"first": workers.found, "told": workers.replies, "last": workers.after}
    del given[silent]["w2"]  # type: ignore[attr-defined]
    found, reason = cancel()
    assert found == "unknown"
    assert reason.endswith(NO_ANSWER)


def test_a_worker_that_could_not_refuse_it_leaves_it_unknown(workers: Workers) -> None:
    task("PENDING")
    answering(workers, "w1", "w2")
    workers.replies["w2"] = remote_control.Reply(error="KeyError()")
    assert cancel() == ("unknown", f"{CONFIRMED}. {NO_ANSWER}")


def test_what_its_own_worker_confirms_is_done_whoever_else_is_silent(workers: Workers) -> None:
    task("RECEIVED", worker="w1")
    online("w1", "w2")
    workers.found, workers.replies = {"w1": {"t": "reserved"}}, {"w1": remote_control.Reply()}
    assert cancel() == ("done", "It was RECEIVED on w1; w1 confirmed to refuse it.")


def test_a_worker_that_has_it_no_more_may_have_run_it(workers: Workers) -> None:
    task("RECEIVED", worker="w1")
    answering(workers, "w1")
    assert cancel() == (
        "unknown",
        "It was RECEIVED on w1; w1 confirmed to refuse it. w1 has it no more: it may have run.",
    )


@pytest.mark.parametrize(
    ("state", "outcome", "reason"),
    [
        ("SUCCESS", "refused", "It is SUCCESS already."),
        ("REVOKED", "done", "It was PENDING; w1 refused it."),
        (
            "STARTED",
            "refused",
            "It is STARTED on w1; cancel does not stop a running task, terminate does.",
        ),
    ],
)
def test_the_record_is_read_again_at_the_end(
    workers: Workers, state: str, outcome: str, reason: str
) -> None:
    task("PENDING")
    answering(workers, "w1")
    workers.meanwhile = lambda: TaskRecord.objects.update(state=state, worker="w1")
    assert cancel() == (outcome, reason)


def test_a_task_that_began_before_the_signal_is_not_said_to_be_ended(workers: Workers) -> None:
    task("PENDING")
    answering(workers, "w1")
    workers.meanwhile = lambda: TaskRecord.objects.update(state="STARTED", worker="w1")
    assert terminate() == ("unknown", "It is STARTED on w1; whether SIGTERM was sent is unknown.")
    TaskRecord.objects.update(state="PENDING", worker="")
    workers.replies = {"w1": remote_control.Reply(terminated=frozenset("t"))}
    assert terminate()[0] == "done"


def cancel_three(workers: Workers) -> dict[str, tuple[str, str]]:
    """What comes of one that has ended, one that waits, and one that runs."""
    TaskRecord.objects.create(task_id="ended", state="SUCCESS")
    TaskRecord.objects.create(task_id="runs", state="PENDING")
    task("PENDING")
    answering(workers, "w1")
    workers.found["w1"]["runs"] = "active"
    operation = operations.cancel(["ended", "t", "runs"], actor="a test")
    return {row.target: (row.outcome, row.reason) for row in operation.targets.all()}


ENDED = ("refused", "It is SUCCESS already.")
RUNS = ("refused", "It is STARTED on w1; cancel does not stop a running task, terminate does.")


def hang(*args: Any, **kwargs: Any) -> None:
    raise TimeoutError("no answer within 20 s")


def test_a_broker_that_is_away_leaves_what_the_records_told(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_control, "look", hang)
    failed = ("failed", "No worker was told: TimeoutError: no answer within 20 s")
    assert cancel_three(workers) == {"ended": ENDED, "t": failed, "runs": failed}
    assert workers.told == []


def test_a_broker_that_goes_away_while_the_workers_are_told_leaves_it_unknown(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_control, "revoke", hang)
    words = "Whether the workers were told is unknown: TimeoutError: no answer within 20 s"
    assert cancel_three(workers) == {"ended": ENDED, "t": ("unknown", words), "runs": RUNS}


def test_a_broker_that_goes_away_afterwards_leaves_what_was_confirmed_in_the_words(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.meanwhile = lambda: monkeypatch.setattr(remote_control, "look", hang)
    words = f"{CONFIRMED}. Whether it began before is unknown: TimeoutError: no answer within 20 s"
    assert cancel_three(workers) == {"ended": ENDED, "t": ("unknown", words), "runs": RUNS}


def test_the_soft_time_limit_of_who_asks_is_not_taken_for_an_answer(workers: Workers) -> None:
    task("PENDING")
    operation = operations.cancel("other", actor="a test")
    target = OperationTarget(operation=operation, target="t", position=1)

    def find_app() -> None:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        revoking.stop(find_app, [target])
