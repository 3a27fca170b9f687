"""Journals: to say of one that nobody will ship it any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import router
from django.utils import timezone

from z4j_django import permissions, verbs
from z4j_django.exceptions import OperationError
from z4j_django.models import JournalRecord, Operation, OperationTarget
from z4j_django.models.primary import delete
from z4j_django.operations import asking, auditing
from z4j_django.queries import health
from z4j_django.values import UNSTORABLE, counted

#: Characters of its place that the trail's target has.
_PLACE: Final = 255
#: Why one that was there is not dismissed.
GONE: Final = "A shipper reported it meanwhile, or somebody else dismissed it."


def dismiss(
    place: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Take a journal off the record, of which nothing was heard for a while.

    Args:
        place: Its host and its directory there, with a colon between them.
        options: None are known.
        actor: Who asks.
        project: Whose trail it is written into.
        surface: By which way.

    Raises:
        OperationError: If there is none, or somebody ships it.
    """
    verb = verbs.DISMISS_JOURNAL.name
    asking.asked(verb, options, actor=actor, surface=surface)
    found = _silent(place)
    operation = auditing.begin(
        verb,
        [place[:_PLACE]],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.JOURNAL,
        project=project,
        parameters={"host": found.host, "directory": found.directory},
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_dismissed(found) for _ in targets]

    return auditing.carry_out(operation, act)


def preview(place: str) -> auditing.Outcome:
    """What would come of it.

    Raises:
        OperationError: As of :func:`dismiss`.
    """
    return auditing.done(_last_word(_silent(place)))


def _dismissed(found: health.Journal) -> auditing.Outcome:
    row = _rows().filter(host=found.host, directory=found.directory, seen_at=found.seen_at)
    if delete(row):
        return auditing.done(_last_word(found))
    return auditing.refused(GONE)


def _silent(place: str) -> health.Journal:
    host, _, directory = place.partition(":")
    known = not UNSTORABLE.search(place)
    row = _rows().filter(host=host, directory=directory).first() if known else None
    if row is None:
        raise OperationError(f"There is no journal {place[:_PLACE]!a} on record.")
    found = health.journal(row, timezone.now())
    if found.silence <= health.SILENT_AFTER:
        raise OperationError(
            f"The journal {row} is shipped: its shipper reported within the last "
            f"{health.span(health.SILENT_AFTER)}."
        )
    return found


def _last_word(found: health.Journal) -> str:
    left = counted(found.pending, "byte", "bytes")
    return f"Last heard of {health.span(found.silence)} ago, with {left} to store."


def _rows() -> Any:
    return JournalRecord.objects.using(router.db_for_write(JournalRecord))
