"""What an operator does to tasks: retry, cancel and terminate."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from django.db.models import QuerySet

from z4j_django import permissions, states, verb_options, verbs, wiring
from z4j_django.conf import settings
from z4j_django.control import bodies, publishing
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import (
    asking,
    auditing,
    originals,
    pickles,
    reissuing,
    repeating,
    revoking,
    shown_options,
    signatures,
)
from z4j_django.options import Options
from z4j_django.secrets import masking, placeholders
from z4j_django.values import SHORT, UNSTORABLE

#: Tasks that can be acted on without the permission to act on many.
_FEW: Final = 100
#: Ids that are looked up together.
_LOOKED_UP: Final = 500
#: Seconds in which the broker must take a message.
TIMEOUT: Final = 10.0
_NOT_TRIED: Final = auditing.refused(
    "It was not tried: the broker did not answer for a task before it."
)


class Handler(Protocol):
    """Does a verb to tasks, with the options that it was made with."""

    def claim(self, targets: Sequence[OperationTarget]) -> Mapping[int, auditing.Outcome]:
        """Shut others out, where twice is not as once; see ``auditing.Claim``."""
        return {}

    def __call__(self, targets: Sequence[OperationTarget]) -> Sequence[auditing.Outcome]:
        """Act on some targets; an outcome for each, in their order."""

    def expect(self, record: TaskRecord) -> str:
        """What is to be said of a task before, as far as its record tells.

        Raises:
            OperationError: If it would be refused.
        """


def perform(
    verb: str,
    task_ids: Iterable[str] | str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Do a verb to some tasks; see :func:`z4j_django.operations.perform`."""
    read = asking.asked(verb, options, actor=actor, surface=surface)
    ids = _ids(task_ids, actor)
    _find_app()
    operation = auditing.begin(
        verb,
        ids,
        actor=actor,
        surface=surface,
        project=project,
        parameters=_recorded(read, project, ids),
    )
    handler = HANDLERS[verb](read)
    at_once = verbs.VERBS[verb].at_once
    return auditing.carry_out(operation, handler, at_once=at_once, claim=handler.claim)


def preview(
    verb: str,
    project: str,
    task_ids: Iterable[str],
    options: Mapping[str, Any],
    *,
    surface: auditing.Surface = "python",
) -> list[tuple[str, auditing.Outcome]]:
    """What would come of each task, as far as can be told without asking broker and workers.

    Args:
        verb: One that acts on tasks.
        project: Whose tasks.
        task_ids: The tasks.
        options: As :func:`perform` takes them.
        surface: By which way it was asked for.

    Raises:
        OperationError: If it would be refused as a whole.
    """
    handler = HANDLERS[verb](asking.options_of(verb, options, surface=surface))
    found = []
    for task_id in _ids(task_ids):
        try:
            outcome = auditing.done(handler.expect(originals.record_of(project, task_id)))
        except OperationError as error:
            outcome = auditing.refused(str(error))
        found.append((task_id, outcome))
    return found


class _Retry(Handler):
    """Retries one target after the other, over one connection."""

    def __init__(self, options: verb_options.RetryOptions) -> None:
        self._options = options
        self._publisher: publishing.Publisher | None = None
        #: Whether the broker let a message wait in vain: the next would wait as long.
        self._silent = False
        #: What was found of the targets that were claimed last.
        self._records: dict[str, TaskRecord] = {}

    def claim(self, targets: Sequence[OperationTarget]) -> dict[int, auditing.Outcome]:
        """Refuse what may run twice; of the rest, write down the ids that it is published by.

        So these are known to whoever asks next, whatever happens.
        """
        self._records = repeating.locked(targets[0].project, [one.target for one in targets])
        refusals = {}
        for target in targets:
            try:
                record = self._records.get(target.target)
                self._require_free(originals.found(record, target.project, target.target))
            except OperationError as error:
                refusals[target.pk] = auditing.refused(str(error))
                continue
            target.result_id = signatures.new_id()
            target.save(update_fields=["result_id"])
        return refusals

    def __call__(self, targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_NOT_TRIED if self._silent else self._retried(target) for target in targets]

    def expect(self, record: TaskRecord) -> str:
        self._require_free(record)
        return " ".join(self._prepare(record, signatures.new_id(), 0).notes)

    def _require_free(self, record: TaskRecord) -> None:
        """See that a task neither runs nor was retried.

        Raises:
            OperationError: If it does, or was.
        """
        if record.state in states.UNFINISHED and not self._options.force:
            raise OperationError(
                f"It is {originals.in_words(record)}: it has not ended, and may still run. "
                "With force it is retried all the same."
            )
        if not self._options.force:
            repeating.require_none(record)

    def _prepare(self, record: TaskRecord, new_id: str, operation: int) -> reissuing.Reissue:
        """The message that retries a task.

        Raises:
            OperationError: If it is refused.
        """
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
            chord=chord,
        )

    def _retried(self, target: OperationTarget) -> auditing.Outcome:
        new_id = target.result_id
        try:
            ready = self._prepare(self._records[target.target], new_id, target.operation_id)
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


class _Revoke(Handler):
    """Has the workers refuse tasks; with a signal, end those that run."""

    def __init__(self, signal: str = "") -> None:
        self._signal = signal

    def claim(self, targets: Sequence[OperationTarget]) -> dict[int, auditing.Outcome]:
        busy = revoking.require_alone(targets) if self._signal else {}
        return {one.pk: busy[one.target] for one in targets if one.target in busy}

    def __call__(self, targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return revoking.stop(_find_app, targets, signal=self._signal)

    def expect(self, record: TaskRecord) -> str:
        if refusal := revoking.check(record, terminate=bool(self._signal)):
            raise OperationError(refusal.reason)
        return f"It is {originals.in_words(record)}."


#: What carries out each verb that acts on tasks, made with its options.
HANDLERS: Final[dict[str, Callable[[Any], Handler]]] = {
    verbs.RETRY.name: _Retry,
    verbs.CANCEL.name: lambda options: _Revoke(),
    verbs.TERMINATE.name: lambda options: _Revoke(options.signal),
}


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


def _recorded(read: Options, project: str | None, ids: Sequence[str]) -> dict[str, Any]:
    """The options as the audit trail shows them: of arguments, a redacted copy."""
    own = settings.PROJECT if project is None else project
    has_args = bool(getattr(read, "args", None))
    found = shown_options.shown(read, _names(own, ids) if has_args else ())
    for name, hidden in (("args", [masking.MASK]), ("kwargs", {masking.MASK: masking.MASK})):
        if name in found and _are_chosen(name, project, ids):
            found[name] = hidden
    return found


def _are_chosen(name: str, project: str | None, ids: Sequence[str]) -> bool:
    """Whether a publisher has hidden the arguments that these take the place of."""
    found = _records(settings.PROJECT if project is None else project, ids)
    return any(
        placeholders.is_chosen(recorded)
        for part in found
        for recorded in part.values_list(name, flat=True)
    )


def _names(project: str, ids: Sequence[str]) -> set[str]:
    """What the tasks are called."""
    found: set[str] = set()
    for part in _records(project, ids):
        found.update(part.values_list("name", flat=True).distinct())
    return found


def _records(project: str, ids: Sequence[str]) -> Iterator[QuerySet[TaskRecord]]:
    for first in range(0, len(ids), _LOOKED_UP):
        yield primary(TaskRecord).filter(
            project=project, task_id__in=ids[first : first + _LOOKED_UP]
        )
