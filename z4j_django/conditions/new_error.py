"""Errors that were never seen before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

from django.db.models import QuerySet
from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import ErrorGroup
from z4j_django.options import Seconds, option
from z4j_django.values import counted, duration, error_id

#: Errors that may be new: the last of them.
_NEWEST: Final = 1_000
#: Errors that are told of at once, the most frequent.
_TOLD: Final = 50
#: Characters of a message.
_MESSAGE: Final = 120


class NewError(Thresholds, frozen=True, kw_only=True):
    """Of one error."""

    within: Annotated[Seconds, option("Seconds for which an error is new.")] = 3_600
    failures: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], option("Failures without which it is not told.")
    ] = 1


def find(scene: Scene, thresholds: NewError) -> Iterator[Finding]:
    """One finding an error."""
    since = scene.now - timedelta(seconds=thresholds.within)
    by_id = ErrorGroup.objects.order_by("-id").values_list("id", flat=True)
    last = next(iter(by_id[_NEWEST : _NEWEST + 1]), 0)
    fresh = still_open(scene.project).filter(
        id__gt=last, first_seen__gte=since, regressed_at=None, count__gte=thresholds.failures
    )
    for one in most_frequent(fresh.exclude(name="", exception_type="")):
        age = duration(scene.seconds(one.first_seen))
        evidence = f"{what(one)}. It was seen first {age} ago, {times(one)} in all."
        yield finding(one, one.first_seen, evidence)


def still_open(project: str) -> QuerySet[ErrorGroup]:
    """The errors to which nobody has seen, without their tracebacks."""
    return ErrorGroup.objects.filter(project=project, state=ErrorGroup.State.OPEN).defer(
        "traceback"
    )


def most_frequent(errors: QuerySet[ErrorGroup]) -> list[ErrorGroup]:
    """Those that are told of."""
    return list(errors.order_by("-count", "id")[:_TOLD])


def what(error: ErrorGroup) -> str:
    """Which task fails, and how."""
    message = " ".join(error.message.split())
    message = message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}…"
    said = f": {message}" if message else ""
    return f"{short(error.name) or 'A task'} fails with {short(error.exception_type)}{said}"


def times(error: ErrorGroup) -> str:
    """How often it was seen."""
    return counted(error.count, "time")


def finding(error: ErrorGroup, since: datetime, evidence: str) -> Finding:
    """What is found of an error."""
    numbers: dict[str, float | str] = {"failures": error.count, "task": error.name}
    return Finding(error_id(error.fingerprint), since, evidence, numbers)


CONDITION: Final = Condition(
    key="new_error",
    title="New error",
    about="A task fails in a way that was never seen before.",
    severity="warning",
    subject="error",
    remedy="See what its failures have in common, and which release came with it. Ignore it, if "
    "it does not matter.",
    find=find,
    thresholds=NewError,
    filter=of_subject("error"),
)
