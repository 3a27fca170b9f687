"""The bodies of what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, get_args

from django.utils import timezone
from rest_framework import serializers

from z4j_django.api import problems
from z4j_django.api.serializers.strict import (
    Args,
    Body,
    Choice,
    Flag,
    Kwargs,
    Moment,
    Number,
    SecondsOrMoment,
    TaskIds,
    Text,
    Whole,
    shaped,
)
from z4j_django.operations import groups, revoking
from z4j_django.values import LONGEST_DELAY, SHORT

_YEAR: Final = timedelta(seconds=LONGEST_DELAY)
#: Targets a second.
_SLOWEST: Final = 0.01
_FASTEST: Final = 100_000
#: What a primary key may be, and have a successor.
_GREATEST: Final = 2**63 - 2
#: Characters of a filter.
FILTER_LIMIT: Final = 2_000

_NOT_BOTH: Final = "Give either a countdown or an ETA, not both."
_NOT_BOTH_SHAPE: Final = {"required": ["countdown", "eta"]}


_QUEUE: Final = {"type": "string", "minLength": 1, "maxLength": SHORT, "format": "z4j-queue"}


@shaped(_QUEUE)
class _Typed(Text):
    """The name of a queue, as somebody types it back."""


@shaped(_QUEUE)
class _Queue(Text):
    """The name of a queue."""

    def to_internal_value(self, data: Any) -> str:
        """The name, if a broker could take it."""
        name = super().to_internal_value(data)
        if not name.isprintable() or len(name.encode(errors="replace")) > SHORT:
            raise serializers.ValidationError(
                f"A queue's name has at most {SHORT} bytes, and can be printed."
            )
        return name


@shaped({"type": "string", "minLength": 1, "maxLength": FILTER_LIMIT, "format": "z4j-filter"})
class _Filter(Text):
    """The text of a filter."""


class _RetryOptions(Body):
    queue = _Queue(
        required=False,
        help_text="The queue to send it to. Without it: the one that it had.",
    )
    countdown = Number(
        required=False,
        min_value=0,
        max_value=LONGEST_DELAY,
        help_text="Seconds until it may begin, a year at most. Without it: at once.",
    )
    eta = Moment(
        required=False,
        help_text="When it may begin, a year ahead at most; instead of `countdown`.",
    )
    expires = SecondsOrMoment(
        required=False,
        help_text="Seconds from now, or the moment, after which it is not to run any more.",
    )
    force = Flag(
        required=False,
        help_text="Also what still waits or runs, or was retried before, and may then run twice; "
        "and a member of a chord, which then does not complete it.",
    )
    keep_ids = Flag(
        required=False,
        help_text="Leave the ids of the tasks that follow it as they are, for whoever waits for "
        "their results.",
    )

    shape: ClassVar[Mapping[str, Any]] = {"not": _NOT_BOTH_SHAPE}

    def validate(self, attrs: Any) -> Any:
        """See what does not go together, and what is too far off by now."""
        if "countdown" in attrs and "eta" in attrs:
            raise serializers.ValidationError({"eta": _NOT_BOTH})
        for name in ("eta", "expires"):
            moment = attrs.get(name)
            if isinstance(moment, datetime) and moment - timezone.now() > _YEAR:
                raise problems.Refused(f"{name}: {moment.isoformat()} is more than a year ahead.")
        return super().validate(attrs)


class NoOptions(Body):
    """Nothing: an empty object, or no body at all."""


class RetryTask(_RetryOptions):
    """How a task is retried; without any of it exactly as it was, now."""

    args = Args(
        required=False,
        help_text="Other arguments, all of them. Without it: those that it had.",
    )
    kwargs = Kwargs(
        required=False,
        help_text="Other keyword arguments, all of them. Without it: those that it had.",
    )


class TerminateTask(Body):
    """How a task is terminated."""

    signal = Choice(
        choices=revoking.SIGNALS,
        required=False,
        help_text="What the process that runs it is sent. `SIGKILL` leaves it no time to clean up; "
        "`SIGUSR1` raises `SoftTimeLimitExceeded` in it. Without it: `SIGTERM`.",
    )


class RetryGroup(Body):
    """How a group or chord is run again."""

    members = Choice(
        choices=get_args(groups.Members),
        required=False,
        help_text="`all` of them; what `failed` or never ran, and then the chord's body with all "
        "results, those that stood included; or the chord's `body` alone. Without it: `all`.",
    )
    keep_ids = Flag(
        required=False,
        help_text="The chord's body and what follows it keep their ids, so that whoever waits for "
        "the first result gets this one.",
    )
    force = Flag(
        required=False,
        help_text="Also where members still wait or run: they may then run twice.",
    )


class PurgeQueue(Body):
    """The name of the queue, typed back."""

    confirm = _Typed(
        max_length=SHORT,
        trim_whitespace=False,
        help_text="The queue's name once more, exactly.",
    )


class RestoreQueue(Body):
    """The purge that is to be undone."""

    operation = Whole(
        min_value=1,
        max_value=_GREATEST,
        help_text="The number of the operation that purged the queue.",
    )


class Matching(Body):
    """The tasks that a filter finds."""

    filter = _Filter(
        max_length=FILTER_LIMIT,
        help_text="The filter: `state:FAILURE name:shop.* sent:<2h`.",
    )


#: As what must not be: of what has to be one of several, generators of clients make nothing.
_NOT_TOGETHER: Final = [
    {"required": ["task_ids", "filter"]},
    {"not": {"anyOf": [{"required": ["task_ids"]}, {"required": ["filter"]}]}},
    *({"required": [name], "not": {"required": ["filter"]}} for name in ("until", "asked_at")),
]


class _Many(Body):
    task_ids = TaskIds(
        required=False,
        help_text="The tasks; `Z4J['BULK_LIMIT']` of them at most, 10,000 by default.",
    )
    filter = _Filter(
        required=False,
        max_length=FILTER_LIMIT,
        help_text="Or a filter: the newest tasks that it finds, as many at most.",
    )
    until = Whole(
        required=False,
        min_value=0,
        max_value=_GREATEST,
        help_text="With a filter, from its preview: tasks that came on record later stay out.",
    )
    asked_at = Moment(
        required=False,
        help_text="With a filter, from its preview: ages such as `sent:>2h` count from here.",
    )
    rate = Number(
        required=False,
        min_value=_SLOWEST,
        max_value=_FASTEST,
        help_text="Tasks a second, at most; a worker carries it out. Without it: as fast as it "
        "goes.",
    )

    shape: ClassVar[Mapping[str, Any]] = {"not": {"anyOf": _NOT_TOGETHER}}

    def validate(self, attrs: Any) -> Any:
        """See that it is said which tasks, in one way."""
        if ("task_ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"filter": "Give either task_ids or a filter."})
        for name in ("until", "asked_at"):
            if name in attrs and "filter" not in attrs:
                raise serializers.ValidationError({name: "This is for a filter."})
        return super().validate(attrs)


class BulkRetry(_Many, _RetryOptions):
    """Retry many tasks."""

    verb = Choice(choices=["retry"], help_text="What is done to them.")

    shape: ClassVar[Mapping[str, Any]] = {"not": {"anyOf": [*_NOT_TOGETHER, _NOT_BOTH_SHAPE]}}


class BulkCancel(_Many):
    """Cancel many tasks."""

    verb = Choice(choices=["cancel"], help_text="What is done to them.")


class BulkTerminate(_Many, TerminateTask):
    """Terminate many tasks."""

    verb = Choice(choices=["terminate"], help_text="What is done to them.")


#: The body of each verb that can be done to many.
BULK: Final[Mapping[str, type[Body]]] = {
    "retry": BulkRetry,
    "cancel": BulkCancel,
    "terminate": BulkTerminate,
}
