"""What operators do: each verb is declared here, once. Pure.

From a verb's declaration come its permission and the roles that have it, the request's body and its
schema, the admin's pages and forms, the arguments of commands, what the audit trail keeps of its
options, and the tables of the docs. What carries it out stands in ``operations``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from z4j_django import json_text
from z4j_django.options import Moment, Options, Seconds, option
from z4j_django.secrets import placeholders
from z4j_django.values import GREATEST_ID, SHORT

Role = Literal["operator", "admin"]
Noun = Literal["task", "group", "queue"]


@dataclass(frozen=True)
class Permission:
    """What somebody has to be allowed.

    Attributes:
        codename: Its name, for Django.
        words: The same for people.
        role: The least role that has it.
        of: What it allows, for the docs, where no verb does.
    """

    codename: str
    words: str
    role: Role
    of: str = ""


MAY_RETRY: Final = Permission("retry_task", "Can retry tasks", "operator")
MAY_CANCEL: Final = Permission("cancel_task", "Can cancel tasks", "operator")
MAY_TERMINATE: Final = Permission("terminate_task", "Can terminate running tasks", "operator")
MAY_RETRY_GROUPS: Final = Permission("retry_group", "Can retry groups and chords", "operator")
MAY_RUN_BULK: Final = Permission(
    "run_bulk",
    "Can act on many tasks at once",
    "operator",
    "`bulk`, with the permission of its verb",
)
MAY_PURGE: Final = Permission(
    "purge_queue", "Can purge queues and restore what was purged", "admin"
)
MAY_CONTROL_WORKERS: Final = Permission(
    "control_worker", "Can control workers", "admin", "reserved for the control of workers"
)
MAY_CONTROL_SCHEDULES: Final = Permission(
    "control_schedule", "Can control schedules", "admin", "reserved for the control of schedules"
)
#: All there are beside Django's own, in the order of the docs.
PERMISSIONS: Final = (
    MAY_RETRY,
    MAY_CANCEL,
    MAY_TERMINATE,
    MAY_RETRY_GROUPS,
    MAY_RUN_BULK,
    MAY_PURGE,
    MAY_CONTROL_WORKERS,
    MAY_CONTROL_SCHEDULES,
)


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


class RestoreOptions(Options, frozen=True):
    """The purge that is to be undone."""

    operation: Annotated[
        Annotated[int, Meta(ge=1, le=GREATEST_ID - 1)],
        option("The number of the operation that purged the queue."),
    ]


class BulkOptions(Options, frozen=True):
    """What many at once may be told besides."""

    rate: Annotated[
        Annotated[float, Meta(ge=0.01, le=100_000)] | UnsetType,
        option(
            "Tasks a second, at most; a worker carries it out. By default as fast as it goes.",
            metavar="N",
        ),
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Something that an operator does.

    Attributes:
        name: Its name: in addresses, on record, in Python.
        noun: What it acts on.
        permission: What it wants.
        options: What may be said besides.
        label: The button's word.
        summary: What it does, in one line without a full stop.
        about: The same at length, for whoever is asked whether to do it.
        more: What a program should know besides.
        promise: What will come of a target that nothing speaks against.
        in_bulk: Whether a filter may name its targets, and a worker do it.
        at_once: Targets that are acted on together.
        dangerous: Whether it can't be taken back.
    """

    name: str
    noun: Noun
    permission: Permission
    options: type[Options] = NoOptions
    label: str
    summary: str
    about: str
    more: str = ""
    promise: str = ""
    in_bulk: bool = False
    at_once: int = 1
    dangerous: bool = False

    @property
    def words(self) -> str:
        """Its name, for people."""
        return self.name.replace("_", " ").capitalize()


RETRY: Final = Verb(
    name="retry",
    noun="task",
    permission=MAY_RETRY,
    options=RetryOptions,
    label="Retry",
    summary="Retry a task",
    about="Publishes the original message again under a new id: same queue, priority, headers, "
    "limits, callbacks and rest of its chain.",
    more="The new id is the target's `result_id`.",
    promise="Runs again under a new id.",
    in_bulk=True,
)
CANCEL: Final = Verb(
    name="cancel",
    noun="task",
    permission=MAY_CANCEL,
    label="Cancel",
    summary="Cancel a task",
    about="Has the workers throw it away before it begins. What runs already goes on.",
    more="It is refused then. The workers have 5 seconds to answer.",
    promise="Will not begin, unless a worker is quicker.",
    in_bulk=True,
    at_once=100,
)
TERMINATE: Final = Verb(
    name="terminate",
    noun="task",
    permission=MAY_TERMINATE,
    options=TerminateOptions,
    label="Terminate",
    summary="Terminate a task",
    about="Sends a signal to the process that runs it, in the middle of whatever it does. What "
    "has not begun will not begin.",
    more="The workers have 5 seconds to answer.",
    promise="Its process is sent the signal.",
    in_bulk=True,
    at_once=100,
    dangerous=True,
)
RETRY_GROUP: Final = Verb(
    name="retry_group",
    noun="group",
    permission=MAY_RETRY_GROUPS,
    options=RetryGroupOptions,
    label="Retry",
    summary="Run a group or chord again",
    about="All of it, what failed of it, or the chord's body alone. Nothing is published unless "
    "all of it can be.",
    more="The operation's targets are the tasks that were published, by their old ids.",
)
PURGE_QUEUE: Final = Verb(
    name="purge_queue",
    noun="queue",
    permission=MAY_PURGE,
    options=PurgeOptions,
    label="Purge",
    summary="Purge a queue",
    about="Takes out as many messages as lie in it now, and keeps them; `restore` puts them back. "
    "What a worker holds already runs on.",
    more="The broker has 10 seconds for each answer.",
    dangerous=True,
)
RESTORE: Final = Verb(
    name="restore",
    noun="queue",
    permission=MAY_PURGE,
    options=RestoreOptions,
    label="Put back",
    summary="Put back what a purge removed",
    about="Publishes each message as it was, straight to its queue.",
    more="Where it was cut off, it can be asked for again: what is in the queue or was received is "
    "not put back twice.",
)

#: All there are, by their names.
VERBS: Final[dict[str, Verb]] = {
    verb.name: verb for verb in (RETRY, CANCEL, TERMINATE, RETRY_GROUP, PURGE_QUEUE, RESTORE)
}


def of(noun: Noun) -> list[Verb]:
    """The verbs that act on something."""
    return [verb for verb in VERBS.values() if verb.noun == noun]


def in_bulk() -> list[Verb]:
    """The verbs that can be done to many at once."""
    return [verb for verb in VERBS.values() if verb.in_bulk]


def choices() -> list[tuple[str, str]]:
    """Names and words of all, for a column."""
    return [(verb.name, verb.words) for verb in VERBS.values()]


def codename(verb: str) -> str:
    """The permission that a verb wants; ``bulk`` is what many at once want besides.

    Raises:
        KeyError: If there is no such verb.
    """
    return MAY_RUN_BULK.codename if verb == "bulk" else VERBS[verb].permission.codename
