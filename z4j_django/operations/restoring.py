"""Putting back what a purge or move took out of its queue."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db.models import F, QuerySet
from django.utils import timezone

from z4j_django import logs, permissions, verbs, wiring
from z4j_django.control import publishing, queues
from z4j_django.exceptions import OperationError, SealError
from z4j_django.models import Operation, OperationTarget, SavedMessage
from z4j_django.models.primary import reread
from z4j_django.operations import asking, auditing, transactions
from z4j_django.operations.queues import AT_ONCE, TIMEOUT, Progress, held, settle_tasks
from z4j_django.operations.recovery import Recovery, identity, looks, opened
from z4j_django.secrets.masking import mask_text
from z4j_django.values import identifier

logger = logs.logger("z4j_django.operations")

#: Messages that are put back before their outcomes are written down.
_CHUNK: Final = 20
_MAY_BE_TWICE: Final = (
    "The process that purged was killed meanwhile. It is not at the head of the queue, and no "
    "worker reported it, so it was put back; it runs twice if it was in the queue all the same."
)
#: How many times a hundred messages of the other queue are looked at. RabbitMQ gives out what it
#: shows, and it is held until the end.
LOOKS: Final = 1_000
_TOO_DEEP: Final = "It is not among the first {:,} messages of {!r}: further was not looked."
_TAKEN: Final = "It lies in the queue {!r} no more: a worker has taken it, or somebody else."
#: The verbs that can be undone.
UNDONE: Final = (verbs.PURGE_QUEUE.name, verbs.MOVE_QUEUE.name)
_Result = OperationTarget.Outcome


def restore(
    name: str | None,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    progress: Progress | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Publish what a purge or move took; see :func:`z4j_django.operations.restore`.

    Args:
        name: The queue that it was taken from; ``None`` for whichever it was.
        options: Those of the verb: the number of the purge or move.
        actor: Who asks.
        progress: Called with the messages put back, and of all, after each step.
        surface: By which way it was asked for.
    """
    verb = verbs.RESTORE.name
    read = asking.asked(verb, options, actor=actor, surface=surface)
    purge = _find(read.operation, name)
    name = purge.parameters["queue"]
    app = wiring.find_celery_app().app

    def claim() -> dict[str, Any]:
        # The write comes first: it has all others who ask wait for this transaction's end.
        Operation.objects.filter(pk=purge.pk).update(updated_at=F("updated_at"))
        reread(purge)
        return {"saved": _count_waiting(purge)}

    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.QUEUE,
        project=purge.project,
        parameters={"queue": name, "restores": purge.pk, "restored": 0},
        holds=held(purge.project, name),
        claim=claim,
    )
    put_back = _Restore(app, operation, purge, operation.parameters["saved"], progress)
    return auditing.carry_out(operation, lambda targets: [put_back.run()])


def preview(operation_id: int) -> tuple[str, int]:
    """The queue that :func:`restore` would put messages back into, and how many.

    Raises:
        OperationError: If it would be refused.
    """
    purge = _find(operation_id)
    return purge.parameters["queue"], _count_waiting(purge)


def _find(operation_id: int, name: str | None = None) -> Operation:
    purge = Operation.objects.filter(pk=operation_id).first()
    if name is not None and (purge is None or not _is_of(purge, name)):
        raise OperationError(f"Operation {operation_id} is no purge or move of this queue.")
    if purge is None:
        raise OperationError(f"There is no operation {operation_id}.")
    if purge.verb not in UNDONE:
        raise OperationError(f"Only a purge or move can be undone; this is: {purge}.")
    return purge


def _is_of(purge: Operation, name: str) -> bool:
    is_purge: bool = purge.verb in UNDONE
    return is_purge and purge.parameters.get("queue") == name


def _count_waiting(purge: Operation) -> int:
    """How many messages wait to be put back, where nobody else is at it."""
    alive = timezone.now() - timedelta(seconds=transactions.SILENCE)
    if purge.finished_at is None and purge.updated_at > alive:
        raise OperationError(f"Operation {purge.pk} is still at it. Abort it, or wait for its end.")
    restores = _restores(purge)
    if (going := restores.filter(finished_at=None, updated_at__gt=alive).first()) is not None:
        raise OperationError(f"Operation {going.pk} is putting it back already.")
    saved = SavedMessage.objects.filter(operation=purge)
    waiting = saved.filter(restored_at=None).count()
    if waiting:
        return waiting
    last = restores.order_by("-pk").first()
    count = saved.count()
    if last is None or not count:
        raise OperationError(f"Operation {purge.pk} removed no message: nothing to restore.")
    raise OperationError(
        f"All {count:,} messages were restored, the last by operation {last.pk} "
        f"on {last.updated_at:%Y-%m-%d %H:%M %Z}".rstrip()
        + "."
    )


def _restores(purge: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(
        verb=verbs.RESTORE.name, pk__gt=purge.pk, parameters__restores=purge.pk
    )


class _Restore:
    """Publishes saved messages, in the order in which they were taken."""

    def __init__(
        self,
        app: Any,
        operation: Operation,
        purge: Operation,
        saved: int,
        progress: Progress | None,
    ) -> None:
        self._app = app
        self._operation = operation
        self._purge = purge
        self._saved = saved
        self._progress = progress
        self._name: str = purge.parameters["queue"]
        self._moved_to: str = purge.parameters.get("to", "")
        self._taken = self._deeper = 0
        self._detail = f"restored by operation {operation.pk} of {operation.actor}"
        self._unsure: frozenset[int] = frozenset()
        self._restored = 0
        self._seen = 0

    def run(self) -> auditing.Outcome:
        """Do it; what came of the queue."""
        trouble = None
        try:
            self._settle_doubts()
            trouble = self._put_all_back()
        except TimeoutError as error:
            trouble = auditing.unknown(f"The broker did not answer: {error}.")
        except Exception as error:  # the trail must say how far it came
            logger.exception("A restore stopped after %d messages.", self._restored)
            trouble = auditing.failed(f"{type(error).__name__}: {error}")
        settle_tasks(self._operation, auditing.CUT_OFF)
        return self._told_of(trouble)

    def _settle_doubts(self) -> None:
        """Find out about what those who were killed had in hand."""
        recovery = Recovery(self._app, self._purge)
        self._unsure = recovery.settle_purge()
        if self._moved_to:
            recovery.settle_move(self._moved_to)
        recovery.settle_restores(_restores(self._purge).filter(pk__lt=self._operation.pk))
        messages = SavedMessage.objects.filter(operation=self._purge, restored_at=None)
        self._saved = messages.count()

    def _put_all_back(self) -> auditing.Outcome | None:
        """Publish what waits; the trouble that stopped it, if any."""
        with publishing.Publisher(self._app, TIMEOUT) as publisher:
            if self._moved_to and (trouble := self._take_back(publisher)) is not None:
                return trouble
            return self._put_back_saved(publisher)

    def _take_back(self, publisher: publishing.Publisher) -> auditing.Outcome | None:
        """Put back what a move put into another queue, as far as it lies there."""
        moved = SavedMessage.objects.filter(operation=self._purge, restored_at=None)
        moved = moved.exclude(moved_at=None)
        left, is_end = moved.count(), True
        with queues.Drain(self._app, self._moved_to, TIMEOUT) as drain:
            for part in looks(drain, LOOKS) if left else ():
                found = _those_of(moved, part)
                left, is_end = left - len(found), len(part) < AT_ONCE
                if not auditing.goes_on(self._operation):
                    return None
                take = functools.partial(self._take, drain, found)
                if found and (trouble := self._put_back(publisher, list(found), take)) is not None:
                    return trouble
                self._tell(len(found))
                if not left:
                    break
        self._tell_of_missing(list(moved), is_end)
        return None

    def _tell_of_missing(self, missing: Sequence[SavedMessage], is_end: bool) -> None:
        """Say of what was not found in the other queue that it was taken, or may lie deeper."""
        result, words = _Result.REFUSED, _TAKEN.format(self._moved_to)
        if is_end:
            self._taken = len(missing)
        else:
            self._deeper = len(missing)
            result, words = _Result.UNKNOWN, _TOO_DEEP.format(LOOKS * AT_ONCE, self._moved_to)
        OperationTarget.objects.bulk_create(self._target(one, result, words) for one in missing)

    def _take(
        self,
        drain: queues.Drain,
        found: Mapping[SavedMessage, queues.Found],
        chunk: Sequence[SavedMessage],
    ) -> list[SavedMessage]:
        """Take messages out of the other queue; those that nobody else has taken."""
        removed = drain.remove([found[message] for message in chunk])
        taken = [message for message, done in zip(chunk, removed, strict=True) if done]
        places = [message.position for message in taken]
        mine = SavedMessage.objects.filter(operation=self._purge, position__in=places)
        mine.update(moved_at=None)
        return taken

    def _put_back_saved(self, publisher: publishing.Publisher) -> auditing.Outcome | None:
        last = 0
        messages = SavedMessage.objects.filter(
            operation=self._purge, restored_at=None, moved_at=None
        )
        while chunk := list(messages.filter(position__gt=last).order_by("position")[:_CHUNK]):
            if not auditing.goes_on(self._operation):
                return None
            last = chunk[-1].position
            if (trouble := self._put_back(publisher, chunk)) is not None:
                return trouble
            self._tell(len(chunk))
        return None

    def _tell(self, count: int) -> None:
        self._seen += count
        if self._progress is not None and count:
            self._progress(self._seen, self._saved)

    def _put_back(
        self,
        publisher: publishing.Publisher,
        chunk: Sequence[SavedMessage],
        take: Callable[[Sequence[SavedMessage]], Sequence[SavedMessage]] | None = None,
    ) -> auditing.Outcome | None:
        """Publish some messages; ``take`` is called first, once they are marked as begun."""
        targets = [self._target(message) for message in chunk]
        OperationTarget.objects.bulk_create(targets)
        if take is not None:
            chunk = take(chunk)
        mine = self._operation.targets.filter(kind=OperationTarget.Kind.TASK)
        done: list[int] = []
        trouble = None
        for message in chunk:
            outcome = self._publish(publisher, message)
            if outcome.result == _Result.DONE:
                done.append(message.position)
                continue
            settled = mine.filter(position=message.position)
            settled.update(
                outcome=outcome.result,
                reason=mask_text(outcome.reason)[: auditing.REASON],
                at=timezone.now(),
            )
            if outcome.result != _Result.REFUSED:
                trouble = outcome
                break
        mine.filter(position__in=done).update(outcome=_Result.DONE, at=timezone.now())
        mine.filter(outcome=_Result.ACTING).delete()  # they come after what stopped it
        auditing.note(self._operation, restored=self._restored)
        return trouble

    def _target(
        self, message: SavedMessage, outcome: str = _Result.ACTING, reason: str = ""
    ) -> OperationTarget:
        return OperationTarget(
            operation=self._operation,
            project=self._operation.project,
            position=message.position,
            target=message.task_id or f"message {message.position}",
            outcome=outcome,
            reason=reason or (_MAY_BE_TWICE if message.position in self._unsure else ""),
            at=timezone.now(),
        )

    def _publish(self, publisher: publishing.Publisher, message: SavedMessage) -> auditing.Outcome:
        try:
            raw = publishing.Raw.of(opened(message), self._detail)
            publisher.publish(raw, routing_key=self._name)
        except (OperationError, SealError) as error:
            return auditing.refused(str(error))
        except TimeoutError as error:
            return auditing.unknown(str(error))
        except Exception as error:  # whatever the transport raises: so will it for the next
            return auditing.failed(f"{type(error).__name__}: {error}")
        SavedMessage.objects.filter(pk=message.pk).update(restored_at=timezone.now())
        self._restored += 1
        return auditing.done()

    def _told_of(self, trouble: auditing.Outcome | None) -> auditing.Outcome:
        if trouble is None and self._restored == self._saved:
            return auditing.done(f"All {self._restored:,} messages were put back.")
        told = f"{self._restored:,} of {self._saved:,} messages were put back"
        if self._restored + self._taken < self._saved:
            told += f"; restore operation {self._purge.pk} again for the rest"
        if self._taken:
            told += f". Taken from {self._moved_to!r} meanwhile: {self._taken:,}"
        if self._deeper:
            told += (
                f". Not among the first {LOOKS * AT_ONCE:,} messages of {self._moved_to!r}, and "
                f"further was not looked: {self._deeper:,}"
            )
        told += "."
        if trouble is None:
            return auditing.refused(told)
        return auditing.Outcome(trouble.result, f"{trouble.reason} {told}")


def _those_of(
    moved: QuerySet[SavedMessage], part: Sequence[queues.Found]
) -> dict[SavedMessage, queues.Found]:
    """Which of some messages in the other queue are those that were moved."""
    known: dict[tuple[str, bytes], list[queues.Found]] = {}
    for each in part:
        if not each.why_not:
            known.setdefault(identity(each.original), []).append(each)
    ids = {identifier(queues.task_of(each)[0]) for each in part}
    found: dict[SavedMessage, queues.Found] = {}
    for message in moved.filter(task_id__in=ids).order_by("position"):
        with contextlib.suppress(SealError):  # it can't be put back
            if same := known.get(identity(opened(message))):
                found[message] = same.pop(0)
    return found
