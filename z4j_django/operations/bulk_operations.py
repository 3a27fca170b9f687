"""Many targets at once: by their ids, or by a filter that is frozen at the moment of asking."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from z4j_django import control, logs, permissions, verb_options, verbs, wiring
from z4j_django.conf import settings
from z4j_django.exceptions import FilterError, OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.models.primary import primary, reread, update
from z4j_django.operations import admins_log, asking, auditing, tallies, tasks, transactions
from z4j_django.options import meant, part
from z4j_django.options import read as read_options
from z4j_django.queries import tasks as queries
from z4j_django.queries.pages import EXAMINED_LIMIT
from z4j_django.queries.selection import Selection

logger = logs.logger("z4j_django.operations")

#: Targets up to which it is done at once, where it was asked for.
INLINE: Final = 100
#: Tasks that a preview shows.
SAMPLE: Final = 10
#: Seconds of silence after which the process that carried an operation out is taken for dead;
#: longer than any act on the targets that are taken together.
SILENCE: Final = 90.0
#: Seconds after which a worker that found somebody else at it looks again.
LOOK_AGAIN: Final = 30.0
#: Seconds that a worker is at it before it makes room for other tasks, and goes on after them.
SLICE: Final = 60.0
#: Seconds after which one that rests between two targets says that it is alive.
_SIGN_OF_LIFE: Final = 5.0
#: Seconds in which the broker must take the message that has a worker do it.
_TIMEOUT: Final = 10.0

_State = Operation.State


@dataclass(frozen=True)
class Preview:
    """What a bulk operation would act on.

    Attributes:
        selection: The filter, frozen: hand it on, and nothing is added meanwhile.
        count: Targets, at most ``Z4J["BULK_LIMIT"]``.
        capped: Whether more tasks match than that.
        sample: The newest of them.
        looked_at: The newest of them, as many as a tally looks at, with what it wants to know.
        looked_through: How many tasks were looked through where ``count`` was left at what was
            found there: there may be more. 0: there are not.
    """

    selection: Selection
    count: int
    capped: bool
    sample: list[TaskRecord]
    looked_at: list[tallies.Row]
    looked_through: int = 0


def preview(selection: Selection, look: int = EXAMINED_LIMIT) -> Preview:
    """Count what ``selection`` finds, and look at some.

    Args:
        selection: The filter.
        look: Tasks that are looked through before it is left at what was found.

    Raises:
        OperationError: If it is empty, can't be read, or has no index to stand on.
    """
    with _refusals():
        frozen = _checked(selection).frozen()
        found = frozen.first(settings.BULK_LIMIT + 1, look)
    targets = found.rows[: settings.BULK_LIMIT]
    newest = targets[: tallies.LIMIT]
    shown = queries.summaries(primary(TaskRecord)).in_bulk(newest[:SAMPLE])
    return Preview(
        selection=frozen,
        count=len(targets),
        capped=len(found.rows) > settings.BULK_LIMIT,
        sample=[shown[key] for key in newest if key in shown],
        looked_at=tallies.rows_of(newest),
        looked_through=found.looked_through,
    )


def bulk(
    verb: str,
    *,
    actor: permissions.Actor,
    task_ids: Iterable[str] | None = None,
    selection: Selection | None = None,
    rate: float | None = None,
    here: bool = False,
    progress: Callable[[int, int], None] | None = None,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Do a verb to many tasks.

    Up to 100 it is done before this returns. More are left to a worker, on the queue
    ``Z4J["OPERATIONS_QUEUE"]``; follow the operation that is returned.

    Args:
        verb: One that can be done in bulk.
        actor: Who asks: a user, or a program's name.
        task_ids: The tasks; or ``selection``, not both.
        selection: The newest ``Z4J["BULK_LIMIT"]`` tasks that it finds now.
        rate: Targets a second, at most.
        here: Do all of it before this returns, however many there are.
        progress: Called with the number of targets done, and of all, after each step.
        project: Whose tasks ``task_ids`` are; by default this project's.
        surface: By which way it was asked for.
        **options: Those of the verb that can be said of many.

    Raises:
        PermissionDenied: If ``actor`` may not do this.
        OperationError: If it is refused as a whole; the message says why.
        DiscoveryError: If it is left to a worker, and the project's Celery app is not found.
    """
    _require_bulk(verb)
    read = asking.options_of(verb, meant(options), surface=surface, in_bulk=True)
    pace = read_options(verb_options.BulkOptions, {} if rate is None else {"rate": rate})
    parameters = {**read.as_json(), **pace.as_json()}
    if selection is not None and task_ids is None:
        with _refusals():
            frozen = _checked(selection).frozen()
            found = frozen.ids(settings.BULK_LIMIT + 1)
        project, chosen = frozen.project, frozen.as_json()
        if len(found) > settings.BULK_LIMIT:
            parameters["capped"] = True
        ids = found[: settings.BULK_LIMIT][::-1]  # in the order in which they were sent
    elif task_ids is not None and selection is None:
        ids, chosen = _capped(task_ids), {}
    else:
        raise OperationError("Give either task ids or a selection.")
    inline = here or (len(ids) <= INLINE and rate is None) or not _has_workers()
    operation = auditing.begin(
        verb,
        ids,
        actor=actor,
        surface=surface,
        project=project,
        parameters=parameters,
        selection=chosen,
        waiting=not inline,
    )
    if inline:
        return _carry_out(operation, progress=progress)
    return _hand_over(operation)


def carry_on(operation_id: int, *, seconds: float = SLICE) -> float | None:
    """Carry out, in a worker, an operation that waits; or go on where a killed worker stopped.

    Args:
        operation_id: Its number.
        seconds: How long, roughly, before it is left for the next call.

    Returns:
        Seconds after which to call this again: none where time was up, more where another process
        is at it, or was killed a moment ago; ``None`` if it is over.

    Raises:
        LookupError: If there is no bulk operation of that number.
        OperationError: If the caller is inside a transaction.
    """
    silent_since = timezone.now() - timedelta(seconds=SILENCE)
    free = Q(state=_State.WAITING) | Q(state=_State.RUNNING, updated_at__lt=silent_since)
    # What is done to chosen tasks may have arguments of which only a redacted copy is left.
    bulk_operation = Operation.objects.filter(pk=operation_id, selection__isnull=False)
    with transactions.own_transaction():
        claimed = bulk_operation.filter(free).update(
            state=_State.RUNNING, updated_at=timezone.now()
        )
    operation = bulk_operation.first()
    if operation is None:
        raise LookupError(f"There is no bulk operation {operation_id}.")
    if claimed:
        try:
            _carry_out(operation, seconds=seconds)
        except control.TimeIsUp:
            _pause(operation)
    if operation.finished_at is not None:
        return None
    return 0.0 if operation.state == _State.WAITING else LOOK_AGAIN


def abort(operation_id: int, *, actor: permissions.Actor) -> Operation:
    """Stop an operation before its next target; what is done stays done.

    One whose process has been silent for long is over at once: what that had begun is unknown.

    Raises:
        PermissionDenied: If ``actor`` may not do what it does.
        OperationError: If there is none, or it is over, or another project's.
    """
    operation = Operation.objects.filter(pk=operation_id).first()
    if operation is None:
        raise OperationError(f"There is no operation {operation_id}.")
    permissions.require(actor, operation.verb)
    auditing.own_project(operation.project)
    going = Operation.objects.filter(pk=operation_id, finished_at=None)
    if not update(going, abort_requested=True):
        shown = operation.get_state_display().lower()
        raise OperationError(f"Operation {operation_id} is {shown}; it can't be aborted.")
    name = permissions.name_of(actor)
    auditing.note(operation, aborted_by=name)
    logger.info("%s: %s asked for its abort.", operation, name)
    admins_log.tell(operation, actor, "aborted")
    silent_since = timezone.now() - timedelta(seconds=SILENCE)
    idle = Q(state=_State.WAITING) | Q(updated_at__lt=silent_since)
    if update(going.filter(idle), state=_State.RUNNING, updated_at=timezone.now()):
        auditing.close(operation)
    reread(operation)
    return operation


def _checked(selection: Selection) -> Selection:
    if selection.is_empty:
        raise OperationError("An empty filter would mean every task there is. Name a filter.")
    return selection


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What is wrong with a selection, as the refusal of all that was asked for."""
    try:
        yield
    except (FilterError, ValueError) as error:
        raise OperationError(str(error)) from None


def _has_workers() -> bool:
    return control.leaves_to_workers(wiring.find_celery_app().app)


def _capped(task_ids: Iterable[str]) -> list[str]:
    ids = list(task_ids)
    if len(ids) > settings.BULK_LIMIT:
        raise OperationError(
            f"{len(ids):,} tasks are more than Z4J['BULK_LIMIT'] allows at once, "
            f"{settings.BULK_LIMIT:,}. Do it in parts."
        )
    return ids


def _require_bulk(verb: str) -> None:
    can = [known.name for known in verbs.in_bulk()]
    if verb not in can:
        raise OperationError(f"{verb} can't be done in bulk; {', '.join(can)} can.")


def _carry_out(
    operation: Operation,
    *,
    progress: Callable[[int, int], None] | None = None,
    seconds: float = math.inf,
) -> Operation:
    verb = verbs.VERBS[operation.verb]
    handler = tasks.HANDLERS[verb.name](part(verb.options, operation.parameters))
    rate = operation.parameters.get("rate")
    at_once = 1 if rate else verb.at_once
    begun, done = time.monotonic(), 0
    try:
        for count in auditing.steps(operation, handler, at_once=at_once, claim=handler.claim):
            done += count
            if progress is not None:
                progress(done, operation.total)
            if rate:
                _rest(operation, until=begun + done / rate)
            if time.monotonic() - begun > seconds:
                return _pause(operation)
    except auditing.TakenOverError:
        reread(operation)
        return operation
    return auditing.finish(operation)


def _pause(operation: Operation) -> Operation:
    """Leave the rest to whoever comes next."""
    going = Operation.objects.filter(pk=operation.pk, state=_State.RUNNING)
    update(going, state=_State.WAITING, updated_at=timezone.now())
    reread(operation)
    return operation


def _rest(operation: Operation, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _SIGN_OF_LIFE))
        if left > _SIGN_OF_LIFE and not auditing.goes_on(operation):
            return


def _hand_over(operation: Operation) -> Operation:
    try:
        app = wiring.find_celery_app().app
        control.send_bulk(app, operation.pk, settings.OPERATIONS_QUEUE, _TIMEOUT)
    except Exception as error:  # whatever the transport raises: nobody will do it
        reason = f"The broker did not take the work: {type(error).__name__}: {error}"
        pending = operation.targets.filter(outcome=OperationTarget.Outcome.PENDING)
        for target in pending.order_by("position")[:1]:
            auditing.settle(target, auditing.failed(reason))
        pending.update(outcome=OperationTarget.Outcome.FAILED, reason="As the first one.")
        return auditing.finish(operation)
    return operation
