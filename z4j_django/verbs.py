"""What operators do: each verb is declared here, once. Pure.

From a verb's declaration come its permission and the roles that have it, the request's body and its
schema, the admin's pages and forms, the arguments of commands, what the audit trail keeps of its
options, and the tables of the docs. What carries it out stands in ``operations``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal

from z4j_django import verb_options
from z4j_django.options import Options

Role = Literal["operator", "admin"]
Noun = Literal[
    "task",
    "group",
    "queue",
    "error",
    "journal",
    "worker",
    "schedule",
    "alert",
    "silence",
    "channel",
]


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
MAY_CONTROL_SCHEDULES: Final = Permission("control_schedule", "Can control schedules", "admin")
MAY_RUN_SCHEDULES: Final = Permission("run_schedule", "Can run schedules by hand", "operator")
MAY_PAUSE_QUEUES: Final = Permission(
    "pause_queue", "Can pause and resume queues", "operator", "looking into a queue's messages"
)
MAY_SEE_STACKS: Final = Permission(
    "see_stack",
    "Can see what a running task does",
    "operator",
    "to look at the stack of a running task, with `view_taskrecord`",
)
MAY_SILENCE: Final = Permission("silence_alert", "Can silence alerts", "operator")
MAY_MANAGE_ALERTS: Final = Permission(
    "manage_alerts",
    "Can manage alert rules and channels",
    "admin",
    "alert rules and channels: to make, change and delete them; `test_channel`",
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
    MAY_SILENCE,
    MAY_MANAGE_ALERTS,
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
        waits_for: Who carries it out, where that is not done at once.
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
    waits_for: str = "a worker"

    @property
    def words(self) -> str:
        """Its name, for people."""
        return self.name.replace("_", " ").capitalize()


#: How long one waits for workers.
_ANSWERS: Final = "The workers have 5 seconds to answer."

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
    more=_ANSWERS,
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
    more="The workers have 5 seconds to answer; who does not is told again every 5 seconds. The "
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
    more="They have 5 seconds to answer; who does not is told again every 5 seconds, for an hour.",
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

ENABLE_SCHEDULE: Final = Verb(
    name="enable_schedule",
    noun="schedule",
    permission=MAY_CONTROL_SCHEDULES,
    label="Switch on",
    summary="Switch a schedule on",
    about="Has beat send it again, from now on: what it would have sent meanwhile is not made up "
    "for.",
    more="Only where django-celery-beat keeps it; beat takes note within seconds.",
)
DISABLE_SCHEDULE: Final = Verb(
    name="disable_schedule",
    noun="schedule",
    permission=MAY_CONTROL_SCHEDULES,
    label="Switch off",
    summary="Switch a schedule off",
    about="Has beat send it no more, until it is switched on. What it has sent runs on.",
    more="Only where django-celery-beat keeps it; beat takes note within seconds.",
)
RUN_SCHEDULE: Final = Verb(
    name="run_schedule",
    noun="schedule",
    permission=MAY_RUN_SCHEDULES,
    options=verb_options.RunScheduleOptions,
    label="Run now",
    summary="Run a schedule's task now, once",
    about="Publishes its task as beat would: with its arguments, queue, priority, expiry and "
    "headers. When beat sends it next stays as it is.",
    more="The new id is the target's `result_id`; the task's record names the schedule, and the "
    "operation as what published it.",
)
SKIP_NEXT_RUN: Final = Verb(
    name="skip_next_run",
    noun="schedule",
    permission=MAY_RUN_SCHEDULES,
    label="Skip the next run",
    summary="Have beat leave out a schedule's next run",
    waits_for="beat",
    about="Beat takes the next run for done and sends nothing; the one after it comes at its "
    "usual time. Until then the operation waits, and can be aborted.",
    more="It is over when beat has left the run out, or could not any more. It takes a beat that "
    "runs with this app, which learns of it within some 10 seconds.",
)
_steering: Final = functools.partial(
    Verb, noun="worker", permission=MAY_CONTROL_WORKERS, more=_ANSWERS
)
PING: Final = _steering(
    name="ping",
    label="Ping",
    summary="See whether a worker answers",
    about="Asks whether it is there.",
)
POOL_GROW: Final = _steering(
    name="pool_grow",
    options=verb_options.PoolOptions,
    label="Grow the pool",
    summary="Add processes or greenlets to a worker's pool",
    about="Adds processes or greenlets, until the worker ends. A pool of threads can't, nor can a "
    "solo one, nor one that scales itself.",
)
POOL_SHRINK: Final = _steering(
    name="pool_shrink",
    options=verb_options.PoolOptions,
    label="Shrink the pool",
    summary="Take processes or greenlets from a worker's pool",
    about="Ends processes or greenlets that run nothing, until the worker ends; one at least "
    "stays.",
)
AUTOSCALE: Final = _steering(
    name="autoscale",
    options=verb_options.AutoscaleOptions,
    label="Autoscale",
    summary="Say between which sizes a worker's pool scales itself",
    about="Sets the sizes between which its pool scales itself, until the worker ends. For workers "
    "that were started with `--autoscale`.",
)
ADD_CONSUMER: Final = _steering(
    name="add_consumer",
    options=verb_options.AddConsumerOptions,
    label="Take from a queue",
    summary="Have a worker take tasks from one more queue",
    about="It takes from one more queue, until the worker ends. A queue that is not there is made.",
)
CANCEL_CONSUMER: Final = _steering(
    name="cancel_consumer",
    options=verb_options.CancelConsumerOptions,
    label="Leave a queue",
    summary="Have a worker take no more tasks from a queue",
    about="It takes nothing more from a queue, until the worker ends. What it took already it "
    "still runs; others that take from the queue go on.",
)
RATE_LIMIT: Final = _steering(
    name="rate_limit",
    options=verb_options.RateLimitOptions,
    label="Limit the rate",
    summary="Say how often tasks of one name may begin in a worker",
    about="Bounds how many tasks of one name begin in it, until the worker ends, or until it is "
    "reset; it is shown on the pages of the worker and of the task until then.",
)
TIME_LIMIT: Final = _steering(
    name="time_limit",
    options=verb_options.TimeLimitOptions,
    label="Limit the time",
    summary="Say how long tasks of one name may run in a worker",
    about="Bounds how long tasks of one name may run that begin from now on, until the worker "
    "ends, or until it is reset; it is shown on the pages of the worker and of the task until "
    "then. Pools of threads, and solo ones, do not keep to it.",
)
POOL_RESTART: Final = _steering(
    name="pool_restart",
    label="Restart the pool",
    summary="End the processes of a worker's pool, and start new ones",
    about="Ends the processes of its pool, each when it has run one more task, and starts new "
    "ones. Wants `worker_pool_restarts` in the worker's configuration, and a pool of processes.",
    dangerous=True,
)
SHUTDOWN: Final = _steering(
    name="shutdown",
    options=verb_options.ShutdownOptions,
    label="Shut down",
    summary="Have a worker end",
    about="A warm shutdown: it takes nothing more, ends what it runs, and then itself. A soft one "
    "waits for what it runs no longer than its configuration says. Whether anything starts it "
    "again is up to what started it.",
    more="Celery has no remote command for a soft shutdown: it takes a worker with this app, which "
    "sends itself the signal. The workers have 5 seconds to answer.",
    dangerous=True,
)
ENABLE_EVENTS: Final = _steering(
    name="enable_events",
    label="Enable events",
    summary="Have a worker send Celery's own events of its tasks",
    about="It sends Celery's own events of its tasks, for other programs that listen to them; the "
    "record here needs none.",
)
DISABLE_EVENTS: Final = _steering(
    name="disable_events",
    label="Disable events",
    summary="Have a worker send none of Celery's own events of its tasks",
    about="It sends no more of Celery's own events of its tasks, which cost it time; the record "
    "here needs none. One that was started with `-E` says so, and sends them all the same.",
)

SILENCE_ALERTS: Final = Verb(
    name="silence_alerts",
    noun="alert",
    permission=MAY_SILENCE,
    options=verb_options.SilenceOptions,
    label="Silence",
    summary="Tell nobody of a condition for a while",
    about="Holds back what would be told of a condition, or of all, until a moment. What holds "
    "still then is told, and how much was held back.",
    more="It is named by its key, and all of them by `all`. Who was told of something already is "
    "told when it is over.",
)
END_SILENCE: Final = Verb(
    name="end_silence",
    noun="silence",
    permission=MAY_SILENCE,
    label="End",
    summary="End a silence before its time",
    about="What holds still of what it held back is told.",
)
TEST_CHANNEL: Final = Verb(
    name="test_channel",
    noun="channel",
    permission=MAY_MANAGE_ALERTS,
    label="Test",
    summary="Send a test message to an alert channel",
    about="Sends a message that says it is a test, once, and tells what the channel answered.",
    more="The channel has 10 seconds to answer. It is on record among the deliveries.",
)

#: All there are, by their names.
VERBS: Final[dict[str, Verb]] = {
    verb.name: verb
    for verb in (
        *(RETRY, CANCEL, TERMINATE, RETRY_GROUP, PURGE_QUEUE, MOVE_QUEUE, RESTORE),
        *(PAUSE_QUEUE, RESUME_QUEUE),
        *(RESOLVE_ERRORS, IGNORE_ERRORS, REOPEN_ERRORS, DISMISS_JOURNAL),
        *(RUN_SCHEDULE, SKIP_NEXT_RUN, ENABLE_SCHEDULE, DISABLE_SCHEDULE),
        *(PING, POOL_GROW, POOL_SHRINK, AUTOSCALE, ADD_CONSUMER, CANCEL_CONSUMER),
        *(RATE_LIMIT, TIME_LIMIT, POOL_RESTART, SHUTDOWN, ENABLE_EVENTS, DISABLE_EVENTS),
        *(SILENCE_ALERTS, END_SILENCE, TEST_CHANNEL),
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


#: What else somebody does, and what it wants: many at once, besides their verb; to look at the
#: stack of a running task, which is no operation; and to write alert rules and channels.
BESIDES: Final = {"bulk": MAY_RUN_BULK, "stack": MAY_SEE_STACKS, "alerts": MAY_MANAGE_ALERTS}


def codename(verb: str) -> str:
    """The permission that a verb wants, or what is done besides.

    Raises:
        KeyError: If there is no such verb.
    """
    return (BESIDES.get(verb) or VERBS[verb].permission).codename
