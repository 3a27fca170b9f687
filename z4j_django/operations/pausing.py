"""Pausing a queue, and resuming it: kept on record, told to the workers, and seen to from then on.

What is on record counts: who does not answer now is told again by whoever looks after the project
(see ``watch.pausing``), and a worker that starts asks by itself (see ``control.starting``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from z4j_django import logs, permissions, verb_options, verbs
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, PausedQueue
from z4j_django.models.primary import update
from z4j_django.operations import asking, auditing
from z4j_django.options import given
from z4j_django.queries import pauses, queues
from z4j_django.queries.filter.values import stored
from z4j_django.secrets.masking import mask_text
from z4j_django.values import counted, identifier, is_storable
from z4j_django.watch import pausing, sampling

logger = logs.logger("z4j_django.operations")

#: Who resumes a queue whose time is over.
UNTIL: Final = "until"
_AGAIN: Final = "It is told again every 5 seconds."
_Result = OperationTarget.Outcome


def pause(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have no worker take from a queue; see :func:`z4j_django.operations.pause_queue`."""
    verb = verbs.PAUSE_QUEUE.name
    read: verb_options.PauseOptions = asking.asked(verb, options, actor=actor, surface=surface)
    until = given(read.until)
    if until is not None and until <= datetime.now(UTC):
        raise OperationError(f"until: {until.isoformat()} is over.")
    _require(name)
    reason = mask_text(given(read.reason, ""), settings.redaction)
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.QUEUE,
        project=project,
        parameters={
            "queue": name,
            "reason": reason,
            "until": until.isoformat() if until is not None else None,
        },
        holds=_held(auditing.own_project(project), name),
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        row, before = _written(operation, stored(until) if until is not None else None)
        return [_pause(operation, row, before)]

    return auditing.carry_out(operation, act)


def resume(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have its workers take from a queue again; see :func:`z4j_django.operations.resume_queue`."""
    verb = verbs.RESUME_QUEUE.name
    asking.asked(verb, options, actor=actor, surface=surface)
    paused = preview_resume(name, project)

    def claim() -> dict[str, Any]:
        mine = PausedQueue.objects.filter(pk=paused.pk, resumed_at=None)
        if not update(mine, resumed_at=timezone.now()):
            raise OperationError(f"The queue {name!r} was resumed meanwhile.")
        return {}

    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.QUEUE,
        project=project,
        parameters={
            "queue": name,
            "paused_by": paused.paused_by,
            "since": paused.since.isoformat(),
        },
        holds=_held(paused.project, name),
        claim=claim,
    )
    return auditing.carry_out(operation, lambda targets: [_resume(operation, paused)])


def preview(name: str) -> None:
    """See that :func:`pause` would not be refused.

    Raises:
        OperationError: If it would.
    """
    _require(name)


def preview_resume(name: str, project: str | None = None) -> PausedQueue:
    """What :func:`resume` would end.

    Raises:
        OperationError: If it would be refused.
    """
    own = auditing.own_project(project)
    paused = pauses.of(own, name) if is_storable(name) else None
    if paused is None:
        raise OperationError(f"The queue {name!r} is not paused.")
    return paused


def resume_overdue(project: str, now: datetime) -> None:
    """Resume what was paused until a moment that is over; what is refused is logged."""
    for one in pauses.current(project).filter(until__lte=now):
        try:
            resume(one.queue, {}, actor=UNTIL, project=project)
        except OperationError as error:  # somebody else was quicker
            logger.info("A queue whose pause is over was not resumed: %s", error)


def _require(name: str) -> None:
    """See that there is such a queue, as far as anything tells, and that workers can be told.

    Raises:
        OperationError: If not.
    """
    where = sampling.source()
    if where.unknown:
        raise OperationError(f"The workers can't be told: {mask_text(where.unknown)}")
    if not is_storable(name) or (name not in where.queues and not queues.is_known(name)):
        raise OperationError(
            f"There is no queue {name[:60]!r}: the app names none, no task on record was sent to "
            "it, and no worker takes from it."
        )


def _held(project: str, name: str) -> str:
    """What both hold; a purge of the same queue may go on meanwhile."""
    return identifier(f"pause {project}/{name}")


def _written(
    operation: Operation, until: datetime | None
) -> tuple[PausedQueue, PausedQueue | None]:
    """The row of a pause, and as it was before, where the queue was paused already."""
    name = operation.parameters["queue"]
    before = pauses.of(operation.project, name)
    row, _ = PausedQueue.objects.update_or_create(
        project=operation.project,
        queue=name,
        defaults={
            "paused_by": operation.actor,
            "reason": operation.parameters["reason"],
            "since": before.since if before is not None else timezone.now(),
            "until": until,
            "resumed_at": None,
        },
    )
    return row, before


def _pause(operation: Operation, row: PausedQueue, before: PausedQueue | None) -> auditing.Outcome:
    already = f"It was paused already, by {before.paused_by}. " if before is not None else ""
    told, trouble = _told(lambda: pausing.stop(row.project, [row])[row.queue])
    if trouble:
        return auditing.unknown(f"{already}It is paused on record. {trouble} {_AGAIN}")
    _keep_targets(operation, told, "It takes nothing from it any more.")
    words = [already + _summary(told, "stopped taking from it", "No worker took from it.")]
    if row.until is not None:
        at = f"{row.until:%Y-%m-%d %H:%M:%S %Z}".strip()  # without USE_TZ no zone is told
        words.append(f"It is resumed at {at}.")
    return auditing.done(" ".join(words))


def _resume(operation: Operation, paused: PausedQueue) -> auditing.Outcome:
    told, trouble = _told(lambda: pausing.release(paused))
    if trouble:
        return auditing.unknown(f"It is resumed on record. {trouble} {_AGAIN}")
    _keep_targets(operation, told, "It takes from it again.")
    return auditing.done(_summary(told, "take from it again", "No worker has to be told."))


def _told(call: Any) -> tuple[pausing.Told, str]:
    """What the workers answered, or why that is not known."""
    try:
        return call(), ""
    except TimeoutError as error:
        return {}, f"The broker did not answer: {error}."
    except Exception as error:  # whatever the transport raises
        text = (
            str(error) if isinstance(error, ConnectionError) else f"{type(error).__name__}: {error}"
        )
        return {}, f"The workers could not be told: {mask_text(text)}"


def _summary(told: pausing.Told, did: str, nobody: str) -> str:
    done = sum(told.values())
    words = [f"{counted(done, 'worker', 'workers')} {did}."] if done else []
    if silent := len(told) - done:
        words.append(f"Did not answer: {silent:,}. {_AGAIN}")
    return " ".join(words) or nobody


def _keep_targets(operation: Operation, told: pausing.Told, done: str) -> None:
    """Write down what came of each worker."""
    OperationTarget.objects.bulk_create(
        OperationTarget(
            operation=operation,
            project=operation.project,
            position=place,
            kind=OperationTarget.Kind.WORKER,
            target=identifier(hostname),
            outcome=_Result.DONE if answered else _Result.UNKNOWN,
            reason=done if answered else f"It did not answer. {_AGAIN}",
            at=timezone.now(),
        )
        for place, (hostname, answered) in enumerate(sorted(told.items()), start=1)
    )
    operation.total = 1 + len(told)
    operation.save(update_fields=["total"])
