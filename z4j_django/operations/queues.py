"""Emptying a queue: every message is saved before the broker lets go of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import router, transaction
from django.utils import timezone

from z4j_django import logs, permissions, verbs, wiring
from z4j_django.control import queue_depths, queues
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import Operation, OperationTarget, SavedMessage
from z4j_django.models.primary import update
from z4j_django.operations import asking, auditing
from z4j_django.secrets import sealing
from z4j_django.secrets.masking import mask_text
from z4j_django.values import clean, identifier

logger = logs.logger("z4j_django.operations")

#: Seconds that the broker has for each answer.
TIMEOUT: Final = 10.0
#: Messages that are saved and removed together, at most, and the bytes that they should have.
AT_ONCE: Final = 100
ROOM: Final = 8 * 1024**2
#: Messages at once before anything is known of their size.
_FIRST: Final = 10
#: Messages that can't be saved after which it is given up.
_TOO_ODD: Final = 1_000

Progress = Callable[[int, int], None]
_Rows = tuple[OperationTarget, SavedMessage]
#: A message that can be kept, and its rows.
Kept = tuple[queues.Found, _Rows]


def purge(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    progress: Progress | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Take the messages out of a queue; see :func:`z4j_django.operations.purge_queue`."""
    verb = verbs.PURGE_QUEUE.name
    read = asking.asked(verb, options, actor=actor, surface=surface)
    if read.confirm != name:
        raise OperationError(
            f"{read.confirm!r} is not the queue's name: to purge {name!r}, its name must be typed "
            "back exactly."
        )
    counted = count_for(name, "purge")
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.QUEUE,
        project=project,
        parameters={"queue": name, "counted": counted, "removed": 0},
        holds=held(auditing.own_project(project), name),
    )
    return auditing.carry_out(
        operation, lambda targets: [_Purge(operation, counted, progress).run()]
    )


def held(project: str, name: str) -> str:
    """What a purge, move or restore holds, as two at one queue would each tell half of it."""
    return identifier(f"{project}/{name}")


def count_for(name: str, verb: str) -> int:
    """How many messages :func:`purge` would take, or another verb.

    Args:
        name: The queue's.
        verb: What is to be done, for people.

    Raises:
        OperationError: If it would be refused.
    """
    try:
        counted = queues.count_messages(wiring.find_celery_app().app, name, TIMEOUT)
    except Exception as error:  # whatever the transport raises
        raise OperationError(f"The messages can't be counted: {_told(error)}.") from error
    if counted is None:
        raise OperationError(f"The broker has no queue {name!r}.")
    if not counted:
        raise OperationError(
            f"The queue {name!r} is empty, or there is none of that name: nothing to {verb}."
        )
    return counted


class Draining:
    """Drains a queue into the database.

    A message is saved and committed first, then removed from the broker, then marked as removed.
    So whoever is killed in between leaves it in at least one of the places.

    Attributes:
        did: What was done with messages, in words.
        unsure: What is said of one that was begun when something broke.
    """

    did = "saved and removed"
    unsure = "It is saved. Whether the broker let go of it is unknown."

    def __init__(self, operation: Operation, counted: int, progress: Progress | None) -> None:
        self._operation = operation
        self._app: Any = wiring.find_celery_app().app
        self._name: str = operation.parameters["queue"]
        self._counted = counted
        self._progress = progress
        self._place = 0
        self._passed = 0
        self._removed = 0
        self._run = 0
        self._left: Counter[str] = Counter()

    def run(self) -> auditing.Outcome:
        """Do it; what came of the queue."""
        trouble = None
        try:
            with queues.Drain(self._app, self._name, TIMEOUT) as drain:
                self._drain(drain)
        except TimeoutError as error:
            trouble = auditing.unknown(f"The broker did not answer: {error}.")
        except Exception as error:  # the trail must say how far it came
            logger.exception("%s stopped after %d messages.", self._operation, self._removed)
            trouble = auditing.failed(_told(error))
        settle_tasks(self._operation, self.unsure)
        return self._told_of(trouble)

    def chosen(self, found: Sequence[queues.Found]) -> Sequence[queues.Found]:
        """Those of some messages that are to be taken."""
        return found

    def removed(self, kept: Sequence[Kept]) -> None:
        """Told of messages that the broker has let go of, before they are marked as removed."""

    def finished(self, kept: Sequence[Kept]) -> None:
        """Told of the same once they are marked; what it does not settle is told as unknown."""
        self.settle(message.position for _, (_, message) in kept)

    def count(self) -> int:
        """How many messages it was done with."""
        return self._removed

    def settle(self, places: Iterable[int]) -> None:
        """Say of the tasks at some positions that it was done."""
        self._operation.targets.filter(position__in=list(places)).update(
            outcome=OperationTarget.Outcome.DONE, at=timezone.now()
        )

    def _drain(self, drain: queues.Drain) -> None:
        seen, limit = 0, _FIRST
        while seen < self._counted and auditing.goes_on(self._operation):
            found = drain.read(min(limit, self._counted - seen))
            if not found:
                return
            seen += len(found)
            kept = self._made(self.chosen(found))
            if kept:
                self._take(drain, kept)
                limit = _how_many([each for each, _ in kept])
            if self._progress is not None:
                self._progress(seen, self._counted)
            if self._left.total() >= _TOO_ODD:
                return

    def _made(self, found: Sequence[queues.Found]) -> list[Kept]:
        """The messages that can be saved, with their rows; the others are counted."""
        kept: list[Kept] = []
        for each in found:
            if each.why_not:
                self._left[each.why_not] += 1
                continue
            try:
                rows = _rows(self._operation, self._place + len(kept) + 1, each)
            except Exception as error:  # its sender wrote it; the others are to be kept
                self._left[_told(error)] += 1
            else:
                kept.append((each, rows))
        return kept

    def _take(self, drain: queues.Drain, kept: Sequence[Kept]) -> None:
        found = [each for each, _ in kept]
        places = self._save([rows for _, rows in kept])
        removed = drain.remove(found)
        gone = [pair for pair, done in zip(kept, removed, strict=True) if done]
        self._removed += len(gone)
        self._run += len(found) - len(gone)
        self.removed(gone)
        self._mark(dict(zip(places, removed, strict=True)))
        self.finished(gone)
        auditing.note(self._operation, removed=self._removed)

    def _save(self, rows: Sequence[_Rows]) -> list[int]:
        """Keep messages, each with a target of the operation; their positions."""
        targets = [target for target, _ in rows]
        messages = [message for _, message in rows]
        with transaction.atomic(using=router.db_for_write(SavedMessage)):
            OperationTarget.objects.bulk_create(targets)
            SavedMessage.objects.bulk_create(messages)
        self._place += len(rows)
        return [message.position for message in messages]

    def _mark(self, removed: dict[int, bool]) -> None:
        """Note which messages the broker let go of; what a worker took instead is not ours."""
        gone = [place for place, done in removed.items() if done]
        taken = [place for place, done in removed.items() if not done]
        messages = SavedMessage.objects.filter(operation=self._operation)
        targets = self._operation.targets
        with transaction.atomic(using=router.db_for_write(SavedMessage)):
            messages.filter(position__in=gone).update(removed_at=timezone.now())
            if taken:
                messages.filter(position__in=taken).delete()
                targets.filter(position__in=taken).delete()

    def _told_of(self, trouble: auditing.Outcome | None) -> auditing.Outcome:
        done = self.count()
        words = [
            f"All {done:,} messages were {self.did}."
            if done == self._counted
            else f"{done:,} of {self._counted:,} messages were {self.did}."
        ]
        if lost := self._removed - done:
            words.append(
                f"Saved, and not known to lie in the other queue: {lost:,}; restore operation "
                f"{self._operation.pk} to put them back."
            )
        if self._passed:
            words.append(f"Left in the queue, as the filter does not find it: {self._passed:,}.")
        if self._run:
            words.append(f"Taken by a worker meanwhile: {self._run:,}.")
        for why, count in self._left.most_common(3):
            words.append(f"Left in the queue, as it can't be kept: {count:,} ({why}).")
        if trouble is not None:
            return auditing.Outcome(trouble.result, " ".join([trouble.reason, *words]))
        if remaining := queue_depths.count_messages(self._name):
            words.append(f"In the queue now: {remaining:,}.")
        told = " ".join(words)
        return auditing.refused(told) if self._left else auditing.done(told)


class _Purge(Draining):
    """Takes messages out, and journals that."""

    def removed(self, kept: Sequence[Kept]) -> None:
        """Journal it."""
        of = self._operation
        detail = f"purged by operation {of.pk} of {of.actor}"
        queues.record_purge([found for found, _ in kept], self._name, detail)


def settle_tasks(operation: Operation, reason: str) -> None:
    """Say of the tasks that were begun that nobody knows; and count them in."""
    begun = operation.targets.filter(
        kind=OperationTarget.Kind.TASK, outcome=OperationTarget.Outcome.ACTING
    )
    update(begun, outcome=OperationTarget.Outcome.UNKNOWN, reason=reason, at=timezone.now())
    operation.total = operation.targets.count()
    update(Operation.objects.filter(pk=operation.pk), total=operation.total)


def _rows(operation: Operation, place: int, found: queues.Found) -> _Rows:
    task_id, name = queues.task_of(found)
    reason = ""
    if found.original.left_out:
        names = ", ".join(found.original.left_out)
        reason = mask_text(f"Not kept of its headers and properties: {names}.")
    target = OperationTarget(
        operation=operation,
        project=operation.project,
        position=place,
        target=identifier(task_id) or f"message {place}",
        outcome=OperationTarget.Outcome.ACTING,
        reason=reason[: auditing.REASON],
        at=timezone.now(),
    )
    message = SavedMessage(
        operation=operation,
        position=place,
        task_id=identifier(task_id),
        name=clean(name),
        sealed=sealing.seal(found.original, sealing.saved_context(operation.pk, place)),
        size=found.original.size,
    )
    return target, message


def _how_many(found: Sequence[queues.Found]) -> int:
    """How many messages like these make up :data:`ROOM`."""
    size: int = sum(each.original.size for each in found)
    return max(1, min(AT_ONCE, ROOM * len(found) // max(size, 1)))


def _told(error: Exception) -> str:
    text = str(error) if isinstance(error, Z4JError) else f"{type(error).__name__}: {error}"
    return mask_text(text)[: auditing.REASON]
