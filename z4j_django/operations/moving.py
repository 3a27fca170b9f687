"""Moving messages into another queue: each is saved, taken out, and published there as it was.

What a killed process had in hand is saved, and so can be put back: see ``restoring``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from z4j_django import permissions, verb_options, verbs, wiring
from z4j_django.control import publishing, queue_depths, queues
from z4j_django.exceptions import FilterError, OperationError
from z4j_django.models import Operation, OperationTarget, SavedMessage, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import asking, auditing
from z4j_django.operations.queues import TIMEOUT, Draining, Kept, Progress, count_for, held
from z4j_django.options import given
from z4j_django.queries import filter as filters
from z4j_django.values import is_storable


def move(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    progress: Progress | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Move messages; see :func:`z4j_django.operations.move_queue`."""
    verb = verbs.MOVE_QUEUE.name
    read: verb_options.MoveOptions = asking.asked(verb, options, actor=actor, surface=surface)
    text = given(read.filter, "")
    counted = preview(name, read.to, text)
    own = auditing.own_project(project)
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.QUEUE,
        project=project,
        parameters={"queue": name, "to": read.to, "filter": text, "counted": counted, "removed": 0},
        holds=held(own, name),
    )
    which = _those_of(own, text) if text else None
    return auditing.carry_out(
        operation, lambda targets: [_Move(operation, counted, progress, which).run()]
    )


def preview(name: str, to: str, text: str = "") -> int:
    """How many messages :func:`move` would look at.

    Raises:
        OperationError: If it would be refused.
    """
    if to == name:
        raise OperationError(f"The messages lie in the queue {name!r} already.")
    try:
        filters.parse(text)
    except FilterError as error:
        raise OperationError(f"The filter can't be read: {error}") from None
    counted = count_for(name, "move")
    app: Any = wiring.find_celery_app().app
    if not is_storable(to) or (queue_depths.count(to) is None and to not in app.amqp.queues):
        raise OperationError(f"The broker has no queue {to[:60]!r}, or did not answer.")
    return counted


def _those_of(project: str, text: str) -> Callable[[Sequence[str]], set[str]]:
    """Which of some tasks a filter finds."""
    wanted = filters.parse(text)

    def find(task_ids: Sequence[str]) -> set[str]:
        rows = primary(TaskRecord).filter(project=project, task_id__in=[*filter(None, task_ids)])
        return set(wanted.matches(rows).values_list("task_id", flat=True))

    return find


class _Move(Draining):
    """Drains one queue into another, by way of the database."""

    did = "moved"
    unsure = "It is saved. Whether it lies in the other queue is unknown; a restore finds out."

    def __init__(
        self,
        operation: Operation,
        counted: int,
        progress: Progress | None,
        which: Callable[[Sequence[str]], set[str]] | None,
    ) -> None:
        super().__init__(operation, counted, progress)
        self._which = which
        self._to: str = operation.parameters["to"]
        self._detail = f"moved by operation {operation.pk} of {operation.actor}"
        self._publisher = publishing.Publisher(self._app, TIMEOUT)
        self._moved = 0

    def run(self) -> auditing.Outcome:
        """Do it; what came of the queue."""
        with self._publisher:
            return super().run()

    def chosen(self, found: Sequence[queues.Found]) -> list[queues.Found]:
        """Those that the filter finds; the others stay."""
        if self._which is None:
            return list(found)
        ids = self._which([queues.task_of(each)[0] for each in found])
        mine = [each for each in found if queues.task_of(each)[0] in ids]
        self._passed += len(found) - len(mine)
        return mine

    def count(self) -> int:
        """How many lie in the other queue."""
        return self._moved

    def finished(self, kept: Sequence[Kept]) -> None:
        """Publish what the broker has let go of.

        Raises:
            OperationError: If one was refused: so would be the next.
            Exception: Whatever the transport raises.
        """
        places: list[int] = []
        try:
            for found, (_, message) in kept:
                raw = publishing.Raw.of(found.original, self._detail)
                self._publisher.publish(raw, routing_key=self._to)
                places.append(message.position)
        finally:
            self._moved += len(places)
            mine = SavedMessage.objects.filter(operation=self._operation)
            mine.filter(position__in=places).update(moved_at=timezone.now())
            self.settle(places)
