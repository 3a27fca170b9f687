"""Retry, cancel and terminate: what an operator does to tasks."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from z4j_django import permissions, states, wiring
from z4j_django.conf import settings
from z4j_django.control import bodies, publishing
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.operations import (
    auditing,
    originals,
    pickles,
    reissuing,
    repeating,
    revoking,
    signatures,
)
from z4j_django.secrets import masking
from z4j_django.values import SHORT, UNSTORABLE

#: Targets that an act is given together.
RETRY_AT_ONCE: Final = 1
REVOKE_AT_ONCE: Final = 100
#: Tasks that can be acted on without the permission for bulk operations.
_FEW: Final = 100
#: Ids that are looked up together.
_LOOKED_UP: Final = 500
#: Seconds in which the broker must take a message.
TIMEOUT: Final = 10.0
_NOT_TRIED: Final = auditing.refused(
    "It was not tried: the broker did not answer for a task before it."
)


def retry(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    queue: str | None = None,
    countdown: float | None = None,
    eta: datetime | None = None,
    expires: float | datetime | None = None,
    force: bool = False,
    keep_ids: bool = False,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Publish the original messages of tasks again, each under a new id, now.

    Queue, priority, headers, stamps, time limits, callbacks and the rest of a chain stay as they
    were; what was said of when it may run does not.

    Args:
        task_ids: The tasks.
        actor: Who asks: a user, or a program's name.
        args: Other arguments; plain JSON.
        kwargs: Other keyword arguments; plain JSON.
        queue: Another queue.
        countdown: Seconds after which it may run.
        eta: When it may run.
        expires: Seconds, or the moment, after which it is not to run any more.
        force: Also what has not ended, or whose last retry has not; and a chord's member, without
            its chord.
        keep_ids: Leave the ids of the tasks that follow as they are, for whoever waits for them.
        project: Whose tasks they are; by default this project's.
        surface: By which way it was asked for.

    Returns:
        The operation; ``result_id`` of each target is the new task's id.

    Raises:
        PermissionDenied: If ``actor`` may not do this.
        OperationError: If it is refused as a whole; the message says why.
        DiscoveryError: If the project's Celery app is not found.
    """
    permissions.require(actor, "retry")
    given = reissuing.Arguments.checked(args, kwargs)
    options = checked(
        "retry",
        {
            "queue": queue,
            "countdown": countdown,
            "eta": eta,
            "expires": expires,
            "force": force,
            "keep_ids": keep_ids,
        },
    )
    ids = _ids(task_ids, actor)
    _find_app()
    operation = auditing.begin(
        "retry",
        ids,
        actor=actor,
        surface=surface,
        project=project,
        parameters={**options, **_shown(given, project, ids)},
    )
    act = retry_act(operation, args=given.args, kwargs=given.kwargs)
    return auditing.carry_out(operation, act, at_once=RETRY_AT_ONCE)


def cancel(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have the workers refuse tasks that wait. What runs already is not stopped.

    Args:
        task_ids: The tasks.
        actor: Who asks: a user, or a program's name.
        project: Whose tasks they are; by default this project's.
        surface: By which way it was asked for.

    Raises:
        PermissionDenied: If ``actor`` may not do this.
        OperationError: If it is refused as a whole; the message says why.
        DiscoveryError: If the project's Celery app is not found.
    """
    permissions.require(actor, "cancel")
    ids = _ids(task_ids, actor)
    _find_app()
    operation = auditing.begin("cancel", ids, actor=actor, surface=surface, project=project)
    return auditing.carry_out(operation, cancel_act(operation), at_once=REVOKE_AT_ONCE)


def terminate(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    signal: str = "SIGTERM",
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """End tasks that run, by a signal to the process that runs each; and cancel those that wait.

    Args:
        task_ids: The tasks.
        actor: Who asks: a user, or a program's name.
        signal: One of ``stopping.SIGNALS``.
        project: Whose tasks they are; by default this project's.
        surface: By which way it was asked for.

    Raises:
        PermissionDenied: If ``actor`` may not do this.
        OperationError: If it is refused as a whole; the message says why.
        DiscoveryError: If the project's Celery app is not found.
    """
    permissions.require(actor, "terminate")
    ids = _ids(task_ids, actor)
    parameters = checked("terminate", {"signal": signal})
    _find_app()
    operation = auditing.begin(
        "terminate",
        ids,
        actor=actor,
        surface=surface,
        project=project,
        parameters=parameters,
    )
    return auditing.carry_out(operation, terminate_act(operation), at_once=REVOKE_AT_ONCE)


def retry_act(
    operation: Operation, *, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None
) -> auditing.Act:
    """What a retry does to each of its targets.

    Args:
        operation: With its options in ``parameters``.
        args: Other arguments; the operation has only a redacted copy.
        kwargs: Other keyword arguments.
    """
    options = reissuing.Options.from_json(operation.parameters)
    return _Retry(options, reissuing.Arguments(args=args, kwargs=kwargs))


def cancel_act(operation: Operation) -> auditing.Act:
    """What a cancel does to its targets."""
    return lambda targets: revoking.stop(_find_app, targets)


def terminate_act(operation: Operation) -> auditing.Act:
    """What a terminate does to its targets; the signal is in the operation's ``parameters``."""
    signal = revoking.checked_signal(str(operation.parameters.get("signal", "SIGTERM")))
    return lambda targets: revoking.stop(_find_app, targets, signal=signal)


def checked(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a verb as JSON, for ``Operation.parameters``.

    Args:
        verb: ``retry``, ``cancel`` or ``terminate``.
        options: As the verb's own function takes them, but for ``args`` and ``kwargs``.

    Raises:
        OperationError: If one makes no sense; the message says which.
    """
    if verb == "retry":
        return reissuing.Options.checked(**options).as_json()
    if verb == "terminate":
        return {"signal": revoking.checked_signal(str(options.get("signal", "SIGTERM")))}
    return {}


def preview(
    verb: str, project: str, task_ids: Iterable[str], **options: Any
) -> list[tuple[str, auditing.Outcome]]:
    """What would come of each task, as far as can be told without asking broker and workers.

    Args:
        verb: ``retry``, ``cancel`` or ``terminate``.
        project: Whose tasks.
        task_ids: The tasks.
        **options: As the verb's own function takes them.

    Raises:
        OperationError: If it would be refused as a whole.
    """
    found = []
    retrying = _Retry.of(options) if verb == "retry" else None
    for task_id in _ids(task_ids):
        try:
            record = originals.record_of(project, task_id)
            if retrying is None:
                outcome = revoking.check(record, terminate=verb == "terminate")
                outcome = outcome or auditing.done(f"It is {originals.in_words(record)}.")
            else:
                ready = retrying.prepare(record, signatures.new_id(), 0)
                outcome = auditing.done(" ".join(ready.notes))
        except OperationError as error:
            outcome = auditing.refused(str(error))
        found.append((task_id, outcome))
    return found


class _Retry:
    """Retries one target after the other, over one connection."""

    def __init__(self, options: reissuing.Options, arguments: reissuing.Arguments) -> None:
        self._options = options
        self._arguments = arguments
        self._publisher: publishing.Publisher | None = None
        #: Whether the broker let a message wait in vain: the next would wait as long.
        self._silent = False

    @classmethod
    def of(cls, given: dict[str, Any]) -> _Retry:
        rest = {name: value for name, value in given.items() if name not in ("args", "kwargs")}
        arguments = reissuing.Arguments.checked(given.get("args"), given.get("kwargs"))
        return cls(reissuing.Options.checked(**rest), arguments)

    def __call__(self, targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_NOT_TRIED if self._silent else self._retried(target) for target in targets]

    def prepare(self, record: TaskRecord, new_id: str, operation: int) -> reissuing.Reissue:
        """The message that retries a task.

        Raises:
            OperationError: If it is refused.
        """
        if record.state in states.UNFINISHED and not self._options.force:
            raise OperationError(
                f"It is {originals.in_words(record)}: it has not ended, and may still run. "
                "With force it is retried all the same."
            )
        if not self._options.force:
            repeating.require_none(record)
        original = originals.find(record.project, record.task_id)
        chord = record.chord_id
        if not chord and bodies.is_pickled(original.content_type):
            chord = pickles.chord_of(record, original.body)
        return reissuing.reissue(
            _find_app(),
            original,
            new_id=new_id,
            operation=operation,
            options=self._options,
            arguments=self._arguments,
            chord=chord,
        )

    def _retried(self, target: OperationTarget) -> auditing.Outcome:
        new_id = signatures.new_id()
        try:
            record = originals.record_of(target.project, target.target)
            ready = self.prepare(record, new_id, target.operation_id)
            # Before it is published, so that the id is known whatever happens.
            target.result_id = new_id
            target.save(update_fields=["result_id"])
            self._open().publish(
                ready.raw,
                queue=ready.queue,
                exchange=ready.exchange,
                routing_key=ready.routing_key,
            )
        except OperationError as error:
            return auditing.refused(str(error))
        except publishing.UnreachableError as error:
            self._silent = True
            return auditing.failed(str(error))
        except TimeoutError as error:
            self._silent = True
            return auditing.Outcome(OperationTarget.Outcome.UNKNOWN, str(error), new_id)
        return auditing.done(" ".join(ready.notes), new_id)

    def _open(self) -> publishing.Publisher:
        if self._publisher is None:
            self._publisher = publishing.Publisher(_find_app(), TIMEOUT)
            weakref.finalize(self, self._publisher.close)
        return self._publisher


def _find_app() -> Any:
    return wiring.find_celery_app().app


def _ids(task_ids: Iterable[str] | str, actor: permissions.Actor | None = None) -> list[str]:
    """The ids, each once.

    Raises:
        PermissionDenied: If they are many, and ``actor`` may not act on many.
        OperationError: If there is none, or too many, or one can't be an id.
    """
    given = [task_ids] if isinstance(task_ids, str) else list(task_ids)
    for task_id in given:
        if not isinstance(task_id, str) or len(task_id) > SHORT or UNSTORABLE.search(task_id):
            raise OperationError(f"{str(task_id)[:60]!a} is no task id.")
    unique = list(dict.fromkeys(task_id.strip() for task_id in given if task_id.strip()))
    if not unique:
        raise OperationError("Nothing to act on: no task was given.")
    if len(unique) > settings.BULK_LIMIT:
        raise OperationError(
            f"{len(unique):,} tasks are more than Z4J['BULK_LIMIT'] allows at once, "
            f"{settings.BULK_LIMIT:,}. Do it in parts."
        )
    if actor is not None and len(unique) > _FEW:
        permissions.require(actor, "bulk")
    return unique


def _shown(
    arguments: reissuing.Arguments, project: str | None, ids: Sequence[str]
) -> dict[str, Any]:
    """New arguments as the audit trail shows them: masked where they are secret for any task."""
    if not arguments:
        return {}
    positions: list[str] = []
    if arguments.args:
        count = len(arguments.args)
        positions = [""] * count
        for task in _names(settings.PROJECT if project is None else project, ids):
            for place, name in enumerate(bodies.parameter_names(_find_app(), task, count)):
                if masking.is_secret_name(name[: masking.NAME_LENGTH], settings.redaction):
                    positions[place] = name
    return arguments.as_json(positions)


def _names(project: str, ids: Sequence[str]) -> set[str]:
    """What the tasks are called."""
    found: set[str] = set()
    for first in range(0, len(ids), _LOOKED_UP):
        part = TaskRecord.objects.filter(
            project=project, task_id__in=ids[first : first + _LOOKED_UP]
        )
        found.update(part.values_list("name", flat=True).distinct())
    return found
