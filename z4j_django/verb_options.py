"""What may be said of a verb besides, see ``verbs``. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from z4j_django import json_text
from z4j_django.options import Moment, Options, Seconds, option
from z4j_django.secrets import placeholders
from z4j_django.values import GREATEST_ID, LONGEST_DELAY, RELEASE_LENGTH, SHORT


def _queue_name(name: str) -> str:
    if not name.isprintable() or len(name.encode(errors="replace")) > SHORT:
        return f"A queue's name has at most {SHORT} bytes, and can be printed."
    return ""


def _sendable(value: Any) -> str:
    """What is wrong with arguments; what the record shows in place of a value is none."""
    try:
        json_text.plain(value)
    except json_text.JSONTextError as error:
        return f"This can't be sent: {error}."
    if place := placeholders.place_of(value):
        return f"The value at {place[:SHORT]} is masked or cut; it can't be sent as it stands."
    return ""


_Queue = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"format": "z4j-queue"})
]


def _rate(text: str) -> str:
    if _RATE.fullmatch(text.strip()):
        return ""
    return "A rate is a number, with /s, /m or /h behind it for a second, a minute or an hour."


def _task_name(name: str) -> str:
    if not name.isprintable() or not name.strip():
        return "A task's name can be printed."
    return ""


#: As Celery reads it.
_RATE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?(/[smh])?")
_Rate = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"pattern": f"^{_RATE.pattern}$"})
]
_TaskName = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"format": "z4j-task-name"})
]
_Slots = Annotated[int, Meta(ge=1, le=1_000)]
_Limit = Annotated[float, Meta(ge=0.1, le=LONGEST_DELAY)]


class NoOptions(Options, frozen=True):
    """Nothing: an empty object, or no body at all."""


class RetryOptions(Options, frozen=True):
    """How a task is retried; without any of it exactly as it was, now."""

    apart: ClassVar = (("countdown", "eta"),)

    args: Annotated[
        list[Any] | UnsetType,
        option(
            "Other arguments, all of them. By default those that it had.",
            label="Arguments",
            metavar="JSON",
            check=_sendable,
            once=True,
            items={},
        ),
    ] = UNSET
    kwargs: Annotated[
        dict[str, Any] | UnsetType,
        option(
            "Other keyword arguments, all of them. By default those that it had.",
            label="Keyword arguments",
            metavar="JSON",
            check=_sendable,
            once=True,
            additionalProperties={},
        ),
    ] = UNSET
    queue: Annotated[
        _Queue | UnsetType,
        option(
            "The queue to send it to. By default the one that it had.",
            argument="to_queue",
            metavar="NAME",
            check=_queue_name,
        ),
    ] = UNSET
    countdown: Annotated[
        Seconds | UnsetType,
        option("Seconds until it may begin, a year at most. By default none.", metavar="S"),
    ] = UNSET
    eta: Annotated[
        Moment | UnsetType,
        option(
            "When it may begin, a year ahead at most; instead of a countdown.",
            label="ETA",
            metavar="MOMENT",
        ),
    ] = UNSET
    expires: Annotated[
        Seconds | Moment | UnsetType,
        option(
            "Seconds from now, or the moment, after which it is not to run any more. By default "
            "never.",
            metavar="S|MOMENT",
        ),
    ] = UNSET
    force: Annotated[
        bool,
        option(
            "Also what still waits or runs, or was retried before, and may then run twice; and a "
            "member of a chord, which then does not complete it."
        ),
    ] = False
    keep_ids: Annotated[
        bool,
        option(
            "Leave the ids of the tasks that follow it as they are, for whoever waits for their "
            "results."
        ),
    ] = False


class TerminateOptions(Options, frozen=True):
    """How a task is terminated."""

    #: Those that end a task, or ask it to end.
    signal: Annotated[
        Literal["SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGABRT", "SIGHUP", "SIGUSR1"],
        option(
            "What the process that runs it is sent. `SIGKILL` leaves it no time to clean up; "
            "`SIGUSR1` raises `SoftTimeLimitExceeded` in it.",
            metavar="NAME",
            prefix="SIG",
        ),
    ] = "SIGTERM"


class RetryGroupOptions(Options, frozen=True):
    """How a group or chord is run again."""

    members: Annotated[
        Literal["all", "failed", "body"],
        option(
            "`all` of them; what `failed` or never ran, and then the chord's body with all "
            "results, those that stood replayed from the result backend; or the chord's `body` "
            "alone, with the results as they stand."
        ),
    ] = "all"
    keep_ids: Annotated[
        bool,
        option(
            "The chord's body and what follows it keep their ids, so that whoever waits for the "
            "first result gets this one.",
            label="Keep the ids",
        ),
    ] = False
    force: Annotated[
        bool, option("Also where members still wait or run: they may then run twice.")
    ] = False


class PurgeOptions(Options, frozen=True):
    """The name of the queue, typed back."""

    confirm: Annotated[
        _Queue,
        option("The queue's name once more, exactly.", label="Name of the queue", metavar="NAME"),
    ]


class MoveOptions(Options, frozen=True):
    """Where to, and which."""

    to: Annotated[
        _Queue,
        option(
            "The queue that they are moved into.",
            label="Into the queue",
            metavar="NAME",
            check=_queue_name,
        ),
    ]
    filter: Annotated[
        Annotated[str, Meta(min_length=1, max_length=2_000)] | UnsetType,
        option(
            "Which tasks, in the grammar of the list of tasks, such as `name:mail.*`. By default "
            "all messages. What is not on record no filter finds.",
            metavar="FILTER",
        ),
    ] = UNSET


class PauseOptions(Options, frozen=True):
    """Why, and until when."""

    reason: Annotated[
        Annotated[str, Meta(max_length=SHORT)] | UnsetType,
        option("Why, for whoever meets it.", metavar="WORDS"),
    ] = UNSET
    until: Annotated[
        Moment | UnsetType,
        option(
            "The moment at which it is resumed by itself, a year ahead at most. By default it is "
            "paused until somebody resumes it.",
            metavar="MOMENT",
        ),
    ] = UNSET


class RestoreOptions(Options, frozen=True):
    """The purge or move that is to be undone."""

    operation: Annotated[
        Annotated[int, Meta(ge=1, le=GREATEST_ID - 1)],
        option("The number of the operation that purged the queue, or moved what was in it."),
    ]


class ResolveErrorsOptions(Options, frozen=True):
    """Since which release an error is resolved."""

    release: Annotated[
        Annotated[str, Meta(min_length=1, max_length=RELEASE_LENGTH)] | UnsetType,
        option(
            "The release that resolves it, which may be one to come. By default the newest there "
            "is. Failures in releases that were first seen before it do not open it again.",
            metavar="NAME",
        ),
    ] = UNSET


class IgnoreErrorsOptions(Options, frozen=True):
    """How long an error is ignored; without any of it for ever."""

    apart: ClassVar = (("until", "more"),)

    until: Annotated[
        Moment | UnsetType,
        option(
            "The moment until which it is ignored, a year ahead at most. It is open again when it "
            "is seen after that.",
            metavar="MOMENT",
        ),
    ] = UNSET
    more: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | UnsetType,
        option(
            "How many more failures are ignored; with the last of them it is open again.",
            metavar="N",
        ),
    ] = UNSET


class RunScheduleOptions(Options, frozen=True):
    """With what a schedule's task is run; without any of it as beat would."""

    args: Annotated[
        list[Any] | UnsetType,
        option(
            "Other arguments, all of them. By default the schedule's.",
            label="Arguments",
            metavar="JSON",
            check=_sendable,
            once=True,
            items={},
        ),
    ] = UNSET
    kwargs: Annotated[
        dict[str, Any] | UnsetType,
        option(
            "Other keyword arguments, all of them. By default the schedule's.",
            label="Keyword arguments",
            metavar="JSON",
            check=_sendable,
            once=True,
            additionalProperties={},
        ),
    ] = UNSET


class PoolOptions(Options, frozen=True):
    """By how much a pool grows or shrinks."""

    n: Annotated[
        _Slots, option("How many processes or greenlets.", label="Number", metavar="N")
    ] = 1


class ShutdownOptions(Options, frozen=True):
    """How a worker ends."""

    soft: Annotated[
        bool,
        option(
            "Give what it runs its `worker_soft_shutdown_timeout`, and break off what runs still. "
            "By default it ends when all of that has."
        ),
    ] = False


class AutoscaleOptions(Options, frozen=True):
    """Between which sizes a pool scales itself."""

    max: Annotated[_Slots, option("The most processes or greenlets.", label="At most", metavar="N")]
    min: Annotated[
        Annotated[int, Meta(ge=0, le=1_000)] | UnsetType,
        option("The fewest. By default as before.", label="At least", metavar="N"),
    ] = UNSET


class CancelConsumerOptions(Options, frozen=True):
    """The queue that a worker is to leave alone."""

    queue: Annotated[_Queue, option("The queue's name.", metavar="NAME", check=_queue_name)]


class AddConsumerOptions(CancelConsumerOptions, frozen=True):
    """The queue that a worker is to take tasks from."""

    exchange: Annotated[
        _Queue | UnsetType,
        option("Its exchange. By default the one of its name.", metavar="NAME", check=_queue_name),
    ] = UNSET
    exchange_type: Annotated[
        Literal["direct", "topic"], option("The exchange's type.", metavar="TYPE")
    ] = "direct"
    routing_key: Annotated[
        _Queue | UnsetType,
        option(
            "What binds it to the exchange. By default its name.",
            metavar="KEY",
            check=_queue_name,
        ),
    ] = UNSET


class RateLimitOptions(Options, frozen=True):
    """How often tasks of one name may begin."""

    apart: ClassVar = (("rate", "reset"),)
    some: ClassVar = ("rate", "reset")

    task: Annotated[_TaskName, option("The name of the tasks.", metavar="NAME", check=_task_name)]
    rate: Annotated[
        _Rate | UnsetType,
        option(
            "How many may begin in each worker: `10/s`, `10/m` or `10/h`; `0` for as many as come.",
            metavar="RATE",
            check=_rate,
        ),
    ] = UNSET
    reset: Annotated[
        bool, option("Back to the task's own, as it was before one was set by hand.")
    ] = False


class TimeLimitOptions(Options, frozen=True):
    """How long tasks of one name may run."""

    apart: ClassVar = (("hard", "reset"), ("soft", "reset"))
    some: ClassVar = ("hard", "soft", "reset")

    task: Annotated[_TaskName, option("The name of the tasks.", metavar="NAME", check=_task_name)]
    hard: Annotated[
        _Limit | UnsetType,
        option("Seconds after which its process is killed. By default never.", metavar="S"),
    ] = UNSET
    soft: Annotated[
        _Limit | UnsetType,
        option(
            "Seconds after which `SoftTimeLimitExceeded` is raised in it. By default never.",
            metavar="S",
        ),
    ] = UNSET
    reset: Annotated[
        bool, option("Back to the task's own, as they were before some were set by hand.")
    ] = False


class SilenceOptions(Options, frozen=True):
    """Of what, why, and until when."""

    until: Annotated[
        Seconds | Moment,
        option(
            "Seconds from now, or the moment, after which it is told again; a year ahead at most.",
            metavar="S|MOMENT",
        ),
    ]
    subject: Annotated[
        Annotated[str, Meta(min_length=1, max_length=SHORT)],
        option(
            "A pattern of the names of queues, workers, tasks and so on, such as `mail.*`.",
            metavar="PATTERN",
        ),
    ] = "*"
    reason: Annotated[
        Annotated[str, Meta(max_length=SHORT)] | UnsetType,
        option("Why, for whoever wonders.", metavar="WORDS"),
    ] = UNSET


class BulkOptions(Options, frozen=True):
    """What many at once may be told besides."""

    rate: Annotated[
        Annotated[float, Meta(ge=0.01, le=100_000)] | UnsetType,
        option(
            "Tasks a second, at most; a worker carries it out. By default as fast as it goes.",
            metavar="N",
        ),
    ] = UNSET
