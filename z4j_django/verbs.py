"""What operators do: each verb is declared here, once. Pure.

From a verb's declaration come its permission and the roles that have it, the request's body and its
schema, the admin's pages and forms, the arguments of commands, what the audit trail keeps of its
options, and the tables of the docs. What carries it out stands in ``operations``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from z4j_django import verb_options
from z4j_django.options import Options

Role = Literal["operator", "admin"]
Noun = Literal["task", "group", "queue", "error", "journal", "worker", "schedule"]


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
MAY_RESOLVE_ERRORS: Final = Permission("resolve_error", "Can resolve and ignore errors", "operator")
MAY_CONTROL_WORKERS: Final = Permission("control_worker", "Can control workers", "admin")
MAY_CONTROL_SCHEDULES: Final = Permission(
    "control_schedule", "Can control schedules", "admin", "reserved for the control of schedules"
)
MAY_RUN_SCHEDULES: Final = Permission(
    "run_schedule", "Can run schedules by hand", "operator", "reserved for running schedules"
)
MAY_PAUSE_QUEUES: Final = Permission(
    "pause_queue", "Can pause and resume queues", "operator", "looking into a queue's messages"
)
MAY_SEE_STACKS: Final = Permission(
    "see_stack", "Can see what a running task does", "operator", "reserved for stacks of tasks"
)
#: All there are beside Django's own, in the order of the docs.
PERMISSIONS: Final = (
    MAY_RETRY,
    MAY_CANCEL,
    MAY_TERMINATE,
    MAY_RETRY_GROUPS,
    MAY_RUN_BULK,
    MAY_PURGE,
    MAY_RESOLVE_ERRORS,
    MAY_CONTROL_WORKERS,
    MAY_CONTROL_SCHEDULES,
    MAY_RUN_SCHEDULES,
    MAY_PAUSE_QUEUES,
    MAY_SEE_STACKS,
)


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
    options: type[Options] = verb_options.NoOptions
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
    options=verb_options.RetryOptions,
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
    options=verb_options.TerminateOptions,
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
    options=verb_options.RetryGroupOptions,
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
    options=verb_options.PurgeOptions,
    label="Purge",
    summary="Purge a queue",
    about="Takes out as many messages as lie in it now, and keeps them; `restore` puts them back. "
    "What a worker holds already runs on.",
    more="The broker has 10 seconds for each answer.",
    dangerous=True,
)
MOVE_QUEUE: Final = Verb(
    name="move_queue",
    noun="queue",
    permission=MAY_PURGE,
    options=verb_options.MoveOptions,
    label="Move",
    summary="Move a queue's messages into another queue",
    about="Takes out as many messages as lie in it now, or those of them whose tasks a filter "
    "finds, and publishes each as it was, straight to the other queue; `restore` takes them back.",
    more="The broker has 10 seconds for each answer. A message is saved before the broker lets go "
    "of it; one that was saved and could not be published can be put back, too.",
)
PAUSE_QUEUE: Final = Verb(
    name="pause_queue",
    noun="queue",
    permission=MAY_PAUSE_QUEUES,
    options=verb_options.PauseOptions,
    label="Pause",
    summary="Pause a queue",
    about="Has all workers take nothing from it, those that start later as well, until somebody "
    "resumes it or a moment is over. What they hold already runs on, and what is sent waits.",
    more="The workers have 5 seconds to answer; who does not is told again every 15 seconds. The "
    "operation's targets are the queue, and the workers that took from it. Of one that is paused "
    "already it says anew why, and until when.",
)
RESUME_QUEUE: Final = Verb(
    name="resume_queue",
    noun="queue",
    permission=MAY_PAUSE_QUEUES,
    label="Resume",
    summary="Resume a queue that is paused",
    about="Has the workers that took from it do so again.",
    more="They have 5 seconds to answer; who does not is told again every 15 seconds, for an hour.",
)
RESTORE: Final = Verb(
    name="restore",
    noun="queue",
    permission=MAY_PURGE,
    options=verb_options.RestoreOptions,
    label="Put back",
    summary="Put back what a purge or move took",
    about="Publishes each message as it was, straight to the queue that it was taken from. What a "
    "move put into another queue is taken out there before, if it still lies there: what a worker "
    "has taken meanwhile is refused.",
    more="Where it was cut off, it can be asked for again: what is in the queue or was received is "
    "not put back twice.",
)

RESOLVE_ERRORS: Final = Verb(
    name="resolve_errors",
    noun="error",
    permission=MAY_RESOLVE_ERRORS,
    options=verb_options.ResolveErrorsOptions,
    label="Resolve",
    summary="Say that an error is resolved",
    about="Closes it. It is open again, and has regressed, when a task fails so after this moment.",
    promise="Is resolved.",
)
IGNORE_ERRORS: Final = Verb(
    name="ignore_errors",
    noun="error",
    permission=MAY_RESOLVE_ERRORS,
    options=verb_options.IgnoreErrorsOptions,
    label="Ignore",
    summary="Ignore an error",
    about="Closes it for ever, until a moment, or until it was seen some more times. Its failures "
    "count on.",
    promise="Is ignored.",
)
REOPEN_ERRORS: Final = Verb(
    name="reopen_errors",
    noun="error",
    permission=MAY_RESOLVE_ERRORS,
    label="Reopen",
    summary="Open an error again",
    about="Takes back that it is resolved or ignored.",
    promise="Is open.",
)

DISMISS_JOURNAL: Final = Verb(
    name="dismiss_journal",
    noun="journal",
    permission=MAY_CONTROL_WORKERS,
    label="Dismiss",
    summary="Dismiss a journal that nobody ships any more",
    about="Takes it off the record, so that it is no trouble any more. Its files stay; a shipper "
    "that reports it again puts it back on record.",
    promise="Is off the record.",
)

#: All there are, by their names.
VERBS: Final[dict[str, Verb]] = {
    verb.name: verb
    for verb in (
        *(RETRY, CANCEL, TERMINATE, RETRY_GROUP, PURGE_QUEUE, MOVE_QUEUE, RESTORE),
        *(PAUSE_QUEUE, RESUME_QUEUE),
        *(RESOLVE_ERRORS, IGNORE_ERRORS, REOPEN_ERRORS, DISMISS_JOURNAL),
    )
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
