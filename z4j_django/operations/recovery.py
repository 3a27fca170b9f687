"""What a killed purge, move or restore had in hand: whether it lies in a queue, ran, or neither."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from z4j_django.agent.events import Original
from z4j_django.control import queues
from z4j_django.exceptions import SealError
from z4j_django.models import Operation, OperationTarget, SavedMessage, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import auditing
from z4j_django.operations.queues import AT_ONCE, TIMEOUT, settle_tasks
from z4j_django.secrets import sealing

#: How many times a hundred messages at the head of the queue are looked at.
_LOOKS: Final = 100
_WENT_BACK: Final = "It is saved, but went back to the queue: the process that did it was killed."
_Result = OperationTarget.Outcome

#: A task's id, and the digest of a body: brokers add headers of their own.
Identity = tuple[str, bytes]


class Recovery:
    """Settles what those who were killed left open.

    Args:
        app: The project's app.
        purge: Whose messages they are: a purge, or a move.
    """

    def __init__(self, app: Any, purge: Operation) -> None:
        self._app = app
        self._purge = purge
        self._queue: str = purge.parameters["queue"]
        self._lying: dict[str, set[Identity]] = {}
        self._messages = SavedMessage.objects.filter(operation=purge)

    def settle_purge(self) -> frozenset[int]:
        """Finish a purge that was killed, or that the broker left without an answer.

        Returns:
            Positions of the messages that were not found: they count as removed, though the
            broker may have kept them.
        """
        unsure = list(self._messages.filter(removed_at=None))
        if not unsure and self._purge.finished_at is not None:
            return frozenset()
        back = {message.position for message in unsure if self._is_there(message, self._queue)}
        with transaction.atomic(using=router.db_for_write(SavedMessage)):
            self._messages.filter(position__in=back).delete()
            self._messages.filter(removed_at=None).update(removed_at=timezone.now())
            self._purge.targets.filter(position__in=back).update(
                outcome=_Result.REFUSED, reason=_WENT_BACK
            )
        _finish(self._purge)
        return frozenset(message.position for message in unsure) - back

    def settle_move(self, to: str) -> None:
        """Find out what of a move lies in the other queue, or was taken from there.

        Args:
            to: That queue.
        """
        open_targets = self._purge.targets.filter(
            kind=OperationTarget.Kind.TASK, outcome__in=(_Result.ACTING, _Result.UNKNOWN)
        )
        places = list(open_targets.values_list("position", flat=True))
        unsure = self._messages.filter(position__in=places, moved_at=None, restored_at=None)
        there = [message.position for message in unsure if self._is_there(message, to)]
        self._messages.filter(position__in=there).update(moved_at=timezone.now())
        open_targets.filter(position__in=there).update(outcome=_Result.DONE, reason="")

    def settle_restores(self, restores: Iterable[Operation]) -> None:
        """Finish restores before this one that were killed, or left without an answer."""
        for restore in restores:
            open_targets = restore.targets.filter(
                kind=OperationTarget.Kind.TASK, outcome__in=(_Result.ACTING, _Result.UNKNOWN)
            )
            places = list(open_targets.values_list("position", flat=True))
            if not places and restore.finished_at is not None:
                continue
            in_hand = self._messages.filter(position__in=places)
            waiting = in_hand.filter(restored_at=None)
            back = [one.position for one in waiting if self._is_there(one, self._queue)]
            in_hand.filter(position__in=back).update(restored_at=timezone.now())
            self._settle_taken(waiting.exclude(moved_at=None))
            restored = in_hand.exclude(restored_at=None).values_list("position", flat=True)
            open_targets.filter(position__in=list(restored)).update(outcome=_Result.DONE)
            _finish(restore)

    def _settle_taken(self, moved: QuerySet[SavedMessage]) -> None:
        """Note what a killed restore had taken from the other queue, and put back nowhere."""
        to = self._purge.parameters.get("to", "")  # a purge moves nothing anywhere
        gone = [one.position for one in moved if not self._is_there(one, to)]
        self._messages.filter(position__in=gone).update(moved_at=None)

    def _lying_in(self, queue: str) -> set[Identity]:
        """What lies at the head of a queue."""
        if queue not in self._lying:
            with queues.Drain(self._app, queue, TIMEOUT) as drain:
                self._lying[queue] = {
                    identity(each.original)
                    for part in looks(drain)
                    for each in part
                    if not each.why_not
                }
        return self._lying[queue]

    def _is_there(self, message: SavedMessage, queue: str) -> bool:
        try:
            mine = identity(opened(message))
        except SealError:  # nothing is known of it, and it can't be put back either
            return False
        return mine in self._lying_in(queue) or self._was_received(message)

    def _was_received(self, message: SavedMessage) -> bool:
        received = primary(TaskRecord).filter(
            project=self._purge.project,
            task_id=message.task_id,
            received_at__gt=self._purge.created_at,
        )
        return bool(message.task_id) and received.exists()


def opened(message: SavedMessage) -> Original:
    """What a purge saved.

    Raises:
        SealError: If it can't be opened.
    """
    context = sealing.saved_context(message.operation_id, message.position)
    return sealing.open_sealed(bytes(message.sealed), context)


def looks(drain: queues.Drain, most: int = _LOOKS) -> Iterator[list[queues.Found]]:
    """What lies at the head of a queue, part by part; the last part is not full at its end."""
    for _ in range(most):
        part = drain.read(AT_ONCE)
        yield part
        if len(part) < AT_ONCE:
            return


def identity(original: Original) -> Identity:
    """What tells a message from others."""
    headers = msgspec.json.decode(original.headers)
    return str(headers.get("id", "")), hashlib.sha256(original.body).digest()


def _finish(operation: Operation) -> None:
    settle_tasks(operation, auditing.CUT_OFF)
    if operation.finished_at is None:
        operation.targets.filter(outcome=_Result.ACTING).update(
            outcome=_Result.UNKNOWN, reason=auditing.CUT_OFF, at=timezone.now()
        )
    auditing.finish(operation)
