"""Cancel and terminate: what is found, what the workers answer, and what that means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.utils import timezone

from z4j_django import logs, states, verbs
from z4j_django.control import broadcasting, remote_control
from z4j_django.exceptions import OperationError
from z4j_django.models import OperationTarget, TaskRecord, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.operations import auditing, originals, repeating
from z4j_django.queries import liveness

logger = logs.logger("z4j_django.operations")

#: Seconds in which the workers may answer; one on the file-system transport looks once a second.
TIMEOUT: Final = 5.0
#: Seconds in which those may answer that are not on record, after all that are.
GRACE: Final = 0.3
#: Time in which an operation has told the workers, or was killed.
_JUST_NOW: Final = timedelta(minutes=1)
#: Pools whose tasks share the worker's process; Celery can't end one of them.
SHARED: Final = ("solo", "threads")
_AT_A_WORKER: Final = (states.RECEIVED, states.STARTED)
_NOBODY: Final = "No worker answered within {seconds:g} s: whether any will refuse it is unknown."

T = TypeVar("T")
Outcomes = dict[str, auditing.Outcome]
FindApp = Callable[[], Any]
Found = dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Answers:
    """What the workers said.

    Attributes:
        expected: The workers that are online on record.
        found: Where the tasks were, before the workers were told.
        replies: What they answered when they were told.
        again: Where the tasks were afterwards; ``None`` where that was not asked, or went wrong.
        trouble: What went wrong afterwards.
    """

    expected: frozenset[str]
    found: Found
    replies: dict[str, remote_control.Reply]
    again: Found | None = None
    trouble: str = ""

    def holder(self, task_id: str) -> str:
        """The worker that has the task, as it says itself."""
        for found in (self.found, self.again or {}):
            for host, has in found.items():
                if task_id in has:
                    return host
        return next((host for host in self.replies if self.ended(task_id, host)), "")

    def ended(self, task_id: str, host: str) -> bool:
        """Whether ``host`` knew the task, and sent it the signal."""
        return host in self.replies and task_id in self.replies[host].terminated

    def heard(self) -> str:
        """Those that confirmed to refuse the tasks."""
        return ", ".join(sorted(host for host, reply in self.replies.items() if not reply.error))

    def unclear(self) -> list[str]:
        """Those of whom nobody can say that they neither ran a task nor will."""
        rounds: list[set[str]] = [set(self.found), set(self.replies)]
        if self.again is not None:
            rounds.append(set(self.again))
        everyone = self.expected.union(*rounds)
        wrong = {host for host, reply in self.replies.items() if reply.error}
        always = rounds[0].intersection(*rounds[1:])
        return sorted((everyone - always) | wrong)


def check(record: TaskRecord, *, terminate: bool) -> auditing.Outcome | None:
    """Why a task can't be stopped, as far as its record tells; ``None`` if it may be."""
    if record.state in states.FINISHED:
        return auditing.refused(f"It is {record.state} already.")
    if record.state != states.STARTED:
        return None
    if not terminate:
        return auditing.refused(_runs(record.worker))
    found = primary(WorkerRecord).filter(project=record.project, hostname=record.worker)
    worker = found.first()
    if worker is not None and worker.pool in SHARED:
        return auditing.refused(
            f"It is STARTED on {record.worker}, whose pool ({worker.pool}) can't end a single task."
        )
    return None


def require_alone(targets: Sequence[OperationTarget]) -> Outcomes:
    """Refuse what another operation is terminating just now.

    A second signal might hit the task that the process has begun since. Whoever asks next waits
    for the end of this transaction, in which the targets were marked as begun.

    Args:
        targets: The tasks, of one operation.

    Returns:
        The refusals, by the ids of the tasks.
    """
    project, ids = targets[0].project, [target.target for target in targets]
    repeating.locked(project, ids)
    others = OperationTarget.objects.filter(
        project=project,
        target__in=ids,
        outcome=OperationTarget.Outcome.ACTING,
        operation__verb=verbs.TERMINATE.name,
        at__gte=timezone.now() - _JUST_NOW,
    ).exclude(operation=targets[0].operation_id)
    return {
        other.target: auditing.refused(
            f"Operation {other.operation_id} is terminating it just now."
        )
        for other in others
    }


def stop(
    find_app: FindApp, targets: Sequence[OperationTarget], *, signal: str = ""
) -> list[auditing.Outcome]:
    """Have the workers refuse tasks; with a signal, end those that run.

    Args:
        find_app: Finds the project's app.
        targets: The tasks, of one operation.
        signal: A signal's name, or nothing.
    """
    records, outcomes = _records(targets, terminate=bool(signal))
    if records:
        outcomes |= _stopped(find_app, records, signal)
    return [outcomes[target.target] for target in targets]


def _records(
    targets: Sequence[OperationTarget], *, terminate: bool
) -> tuple[dict[str, TaskRecord], Outcomes]:
    records: dict[str, TaskRecord] = {}
    outcomes: Outcomes = {}
    for target in targets:
        try:
            record = originals.record_of(target.project, target.target)
        except OperationError as error:
            outcomes[target.target] = auditing.refused(str(error))
            continue
        refusal = check(record, terminate=terminate)
        if refusal is None:
            records[target.target] = record
        else:
            outcomes[target.target] = refusal
    return records, outcomes


def _stopped(find_app: FindApp, records: dict[str, TaskRecord], signal: str) -> Outcomes:
    """Ask where the tasks are, and tell the workers about those that can be stopped.

    Asked first, because a worker of Celery 5.6 that is told to revoke a task writes REVOKED into
    its result, whether it runs, or has ended with another result.
    """
    project = next(iter(records.values())).project

    def look() -> tuple[Any, frozenset[str], Found] | None:
        app, expected = find_app(), _online(project)
        if not broadcasting.has_remote_control(app):
            return None
        found = _look(app, records, expected, GRACE)
        return app, expected, found

    asked, trouble = _tried(look)
    if trouble:
        return dict.fromkeys(records, auditing.failed(f"No worker was told: {trouble}"))
    if asked is None:
        words = "The broker's transport has no remote control: no worker hears."
        return dict.fromkeys(records, auditing.refused(words))
    app, expected, found = asked
    outcomes: Outcomes = {}
    for task_id, record in records.items():
        if refusal := _refusal(record, found, terminate=bool(signal)):
            outcomes[task_id] = refusal
    left = {task_id: record for task_id, record in records.items() if task_id not in outcomes}
    return outcomes | _told(app, left, expected, found, signal) if left else outcomes


def _told(
    app: Any,
    records: dict[str, TaskRecord],
    expected: frozenset[str],
    found: Found,
    signal: str,
) -> Outcomes:
    """Tell the workers, and see what came of it."""
    ids = list(records)
    known = expected | set(found)
    replies, trouble = _tried(
        lambda: remote_control.revoke(app, ids, timeout=TIMEOUT, expected=known, signal=signal)
    )
    if replies is None:
        words = f"Whether the workers were told is unknown: {trouble}"
        return dict.fromkeys(ids, auditing.unknown(words))
    again: Found | None = None
    if replies and not signal:
        known |= set(replies)
        again, trouble = _tried(lambda: _look(app, records, known))
    project = next(iter(records.values())).project
    now, unread = _tried(lambda: _states(project, ids))
    answers = _Answers(expected, found, replies, again, trouble or unread)
    return {
        task_id: _outcome(record, answers, signal, (now or {}).get(task_id, ("", "")))
        for task_id, record in records.items()
    }


def _look(
    app: Any, records: dict[str, TaskRecord], expected: frozenset[str], grace: float = 0.0
) -> Found:
    return remote_control.look(
        app,
        list(records),
        timeout=TIMEOUT,
        expected=expected,
        grace=grace,
        received=[task_id for task_id, one in records.items() if one.state == states.RECEIVED],
    )


def _tried(call: Callable[[], T]) -> tuple[T | None, str]:
    """What ``call`` returns, or in words what went wrong."""
    try:
        return call(), ""
    except remote_control.INTERRUPTION:
        raise
    except Exception as error:  # the trail must say what happened to each target
        logger.exception("Workers could not be asked or told.")
        return None, f"{type(error).__name__}: {error}"


def _refusal(record: TaskRecord, found: Found, *, terminate: bool) -> auditing.Outcome | None:
    host = _active(found, record.task_id)
    if not terminate and host:
        return auditing.refused(_runs(host))
    if record.state == states.STARTED and record.worker in found and not _has(found, record):
        return auditing.refused(
            f"It is STARTED on record, but {record.worker} does not run it (any more)."
        )
    return None


def _outcome(
    record: TaskRecord, answers: _Answers, signal: str, now: tuple[str, str]
) -> auditing.Outcome:
    if not answers.replies:
        known = originals.in_words(record)
        return auditing.unknown(f"{_NOBODY.format(seconds=TIMEOUT)} It was {known}.")
    if host := _active(answers.again, record.task_id):
        return auditing.refused(_runs(host))
    return (
        _of_its_worker(record, answers, signal)
        or _of_its_record(record, answers, signal, now)
        or _of_all(record, answers)
    )


def _of_its_worker(record: TaskRecord, answers: _Answers, signal: str) -> auditing.Outcome | None:
    """What the answer of the worker that has the task means."""
    task_id, replies = record.task_id, answers.replies
    active = _active(answers.found, task_id)
    known = record.worker if record.state in _AT_A_WORKER else ""
    holder = active or answers.holder(task_id) or known
    if not holder:
        return None
    if holder not in replies:
        others = ", ".join(sorted(replies))
        return auditing.unknown(f"{holder}, which has it, did not answer; {others} did.")
    if error := replies[holder].error:
        if "NotImplementedError" in error:
            return auditing.failed(f"The pool of {holder} can't end a single task.")
        return auditing.failed(f"{holder}: {error}")
    ran = record.state == states.STARTED and answers.ended(task_id, holder)
    if signal and (ran or active):
        return auditing.done(f"{holder}, which ran it, sent {signal}.")
    return None


def _of_its_record(
    record: TaskRecord, answers: _Answers, signal: str, now: tuple[str, str]
) -> auditing.Outcome | None:
    """What the record says that was written while the workers were asked."""
    state, worker = now
    if state == states.REVOKED:
        return auditing.done(f"It was {originals.in_words(record)}; {worker} refused it.")
    if state in states.FINISHED:
        return auditing.refused(f"It is {state} already.")
    if state != states.STARTED:
        return None
    if not signal:
        return auditing.refused(_runs(worker))
    if answers.ended(record.task_id, answers.holder(record.task_id)):
        return None
    return auditing.unknown(f"It is STARTED on {worker}; whether {signal} was sent is unknown.")


def _of_all(record: TaskRecord, answers: _Answers) -> auditing.Outcome:
    """What the answers of all workers mean for a task that none of them is known to run."""
    replies, heard = answers.replies, answers.heard()
    if not heard:
        return auditing.failed("; ".join(f"{host}: {one.error}" for host, one in replies.items()))
    confirmed = f"It was {originals.in_words(record)}; {heard} confirmed to refuse it"
    if answers.trouble:
        return auditing.unknown(
            f"{confirmed}. Whether it began before is unknown: {answers.trouble}"
        )
    holder, unclear = answers.holder(record.task_id), answers.unclear()
    if unclear and (not holder or holder in unclear):
        names = ", ".join(unclear)
        return auditing.unknown(
            f"{confirmed}. No clear answer from {names}: it may run there, or have run."
        )
    if not holder and record.state == states.RECEIVED:
        return auditing.unknown(f"{confirmed}. {record.worker} has it no more: it may have run.")
    return auditing.done(f"{confirmed}.")


def _active(found: Found | None, task_id: str) -> str:
    """The worker that ran the task when it was asked."""
    hosts = (
        host for host, has in (found or {}).items() if has.get(task_id) == remote_control.ACTIVE
    )
    return next(hosts, "")


def _has(found: Found, record: TaskRecord) -> bool:
    return any(record.task_id in has for has in found.values())


def _runs(host: str) -> str:
    where = f" on {host}" if host else ""
    return f"It is STARTED{where}; cancel does not stop a running task, terminate does."


def _online(project: str) -> frozenset[str]:
    """The workers that should answer, as far as the record tells."""
    since = timezone.now() - liveness.SILENT_AFTER
    workers = primary(WorkerRecord).filter(liveness.RUNS_TASKS, project=project)
    online = workers.filter(online=True, last_seen__gt=since)
    return frozenset(online.values_list("hostname", flat=True))


def _states(project: str, task_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The state of tasks on record, and the worker, as they are now."""
    rows = primary(TaskRecord).filter(project=project, task_id__in=task_ids)
    return {
        task_id: (state, worker)
        for task_id, state, worker in rows.values_list("task_id", "state", "worker")
    }
