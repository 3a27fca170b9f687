"""What an operator does: the public functions, each with its permission and its audit row.

Each takes, beside its target:

    actor: Who asks: a user, whose permissions are asked, or a program's name.
    project: Whose the target is; by default this project's.
    surface: By which way it was asked for.
    options: Those of its verb, see ``z4j_django.verbs`` and the reference of operations; one that
        is ``None`` is taken as not given.

Each returns the operation, with an outcome for each target, and raises

    PermissionDenied: If ``actor`` may not do this.
    OptionsError: If an option can't be; it is named.
    OperationError: If it is refused as a whole; the message says why.
    DiscoveryError: If the project's Celery app is not found.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from z4j_django import permissions, verbs
from z4j_django.control.queue_depths import count_messages
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.operations import (
    alerting,
    auditing,
    errors,
    groups,
    journals,
    moving,
    pausing,
    queues,
    restoring,
    schedules,
    tasks,
    workers,
)
from z4j_django.operations.bulk_operations import abort, bulk, preview
from z4j_django.options import meant

__all__ = [
    "abort",
    "add_consumer",
    "autoscale",
    "bulk",
    "cancel",
    "cancel_consumer",
    "count_messages",
    "disable_events",
    "disable_schedule",
    "enable_events",
    "enable_schedule",
    "end_silence",
    "ignore_errors",
    "move_queue",
    "pause_queue",
    "perform",
    "ping",
    "pool_grow",
    "pool_restart",
    "pool_shrink",
    "preview",
    "purge_queue",
    "rate_limit",
    "reopen_errors",
    "resolve_errors",
    "restore",
    "resume_queue",
    "retry",
    "retry_group",
    "run_schedule",
    "shutdown",
    "silence_alerts",
    "skip_next_run",
    "terminate",
    "test_channel",
    "time_limit",
]


def perform(
    verb: str,
    target: Any,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    **how: Any,
) -> Operation:
    """Do a verb, whichever it is: the one way in for all surfaces.

    Args:
        verb: One of ``verbs.VERBS``.
        target: What it acts on: ids of tasks or errors, the id of a group, the name of a queue,
            journal, schedule or channel, names of workers, of which None is all that are online on
            record; the key of a condition, or `all`; the id of a silence.
        options: The verb's, by their names; all of them are meant.
        actor: Who asks.
        **how: ``project`` and ``surface``; for queues ``progress``.
    """
    if verb not in verbs.VERBS:
        raise OperationError(f"There is no verb {verb[:60]!r}.")
    if verb in tasks.HANDLERS:
        return tasks.perform(verb, target, options, actor=actor, **how)
    return _OTHERS[verb](target, options, actor=actor, **how)


#: What carries out each verb that does not act on tasks.
_OTHERS: Final[dict[str, Callable[..., Operation]]] = {
    verbs.RETRY_GROUP.name: groups.perform,
    verbs.PURGE_QUEUE.name: queues.purge,
    verbs.MOVE_QUEUE.name: moving.move,
    verbs.RESTORE.name: restoring.restore,
    verbs.PAUSE_QUEUE.name: pausing.pause,
    verbs.RESUME_QUEUE.name: pausing.resume,
    verbs.DISMISS_JOURNAL.name: journals.dismiss,
    verbs.SILENCE_ALERTS.name: alerting.silence,
    verbs.END_SILENCE.name: alerting.end_silence,
    verbs.TEST_CHANNEL.name: alerting.try_channel,
    **{verb.name: functools.partial(errors.perform, verb.name) for verb in verbs.of("error")},
    **schedules.HANDLERS,
    **{verb.name: functools.partial(workers.perform, verb.name) for verb in verbs.of("worker")},
}


def retry(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Publish the original messages of tasks again, each under a new id, now.

    Queue, priority, headers, stamps, time limits, callbacks and the rest of a chain stay as they
    were; what was said of when it may run does not. ``result_id`` of each target is the new id.
    Options: :class:`z4j_django.verb_options.RetryOptions`.
    """
    given = meant(options)
    return perform("retry", task_ids, given, actor=actor, project=project, surface=surface)


def cancel(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have the workers refuse tasks that wait. What runs already is not stopped."""
    return perform("cancel", task_ids, {}, actor=actor, project=project, surface=surface)


def terminate(
    task_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """End tasks that run, by a signal to the process that runs each; and cancel those that wait.

    Options: :class:`z4j_django.verb_options.TerminateOptions`; ``KILL`` is ``SIGKILL``.
    """
    given = meant(options)
    return perform("terminate", task_ids, given, actor=actor, project=project, surface=surface)


def retry_group(
    group_id: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Run a group or chord again. Nothing is published unless all of it can be.

    The operation's targets are the tasks that were published, by their old ids.
    Options: :class:`z4j_django.verb_options.RetryGroupOptions`.
    """
    given = meant(options)
    return perform("retry_group", group_id, given, actor=actor, project=project, surface=surface)


def purge_queue(
    name: str,
    *,
    actor: permissions.Actor,
    confirm: str,
    project: str | None = None,
    progress: queues.Progress | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Take the messages out of a queue, and keep them, so that :func:`restore` can put them back.

    As many are taken as lie there now, those that come meanwhile included: it ends, however
    fast others publish. Tasks that a worker holds already run on. The operation's first target is
    the queue, the others are the tasks removed.

    Args:
        name: The queue's.
        actor: Who asks.
        confirm: The queue's name once more.
        project: Whose operation it is.
        progress: Called with the messages looked at, and of all, after each step.
        surface: By which way it was asked for.
    """
    how: dict[str, Any] = {"project": project, "progress": progress, "surface": surface}
    return perform("purge_queue", name, {"confirm": confirm}, actor=actor, **how)


def move_queue(
    name: str,
    *,
    actor: permissions.Actor,
    to: str,
    project: str | None = None,
    progress: queues.Progress | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Move messages from one queue into another; :func:`restore` takes them back.

    As with a purge, as many are looked at as lie there now. Each is saved, taken out, and published
    as it was, straight to the other queue; its task waits there. The operation's first target is
    the queue, the others are the tasks moved.
    Options: :class:`z4j_django.verb_options.MoveOptions`.

    Args:
        name: The queue that they lie in.
        actor: Who asks.
        to: The queue that they are moved into.
        project: Whose operation it is.
        progress: Called with the messages looked at, and of all, after each step.
        surface: By which way it was asked for.
        **options: The others.
    """
    given = {"to": to, **meant(options)}
    how: dict[str, Any] = {"project": project, "progress": progress, "surface": surface}
    return perform("move_queue", name, given, actor=actor, **how)


def pause_queue(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Have no worker take from a queue, until somebody resumes it or a moment is over.

    Options: :class:`z4j_django.verb_options.PauseOptions`.
    """
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("pause_queue", name, meant(options), actor=actor, **how)


def resume_queue(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have the workers take from a paused queue again that did so before."""
    return perform("resume_queue", name, {}, actor=actor, project=project, surface=surface)


def restore(
    operation_id: int,
    *,
    actor: permissions.Actor,
    progress: queues.Progress | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Publish again what a purge or move took, each message as it was, straight to its queue.

    What a move put into another queue is taken out there first, where it still lies there.

    Whoever is killed halfway may ask again: what is found in the queue by then, or was received by
    a worker, is not put back a second time. The operation's first target is the queue, the others
    are the tasks put back.

    Args:
        operation_id: Of the purge or move.
        actor: Who asks.
        progress: Called with the messages put back, and of all, after each step.
        surface: By which way it was asked for.
    """
    how: dict[str, Any] = {"progress": progress, "surface": surface}
    return perform("restore", None, {"operation": operation_id}, actor=actor, **how)


def resolve_errors(
    error_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Say of errors that they are resolved, until a task fails so again.

    Options: :class:`z4j_django.verb_options.ResolveErrorsOptions`.
    """
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("resolve_errors", error_ids, meant(options), actor=actor, **how)


def ignore_errors(
    error_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Ignore errors, for ever or for a while.

    Options: :class:`z4j_django.verb_options.IgnoreErrorsOptions`.
    """
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("ignore_errors", error_ids, meant(options), actor=actor, **how)


def reopen_errors(
    error_ids: Iterable[str] | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Take back that errors are resolved or ignored."""
    return perform("reopen_errors", error_ids, {}, actor=actor, project=project, surface=surface)


def run_schedule(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Publish a schedule's task now, as beat would; when beat sends it next stays as it is.

    ``result_id`` of the target is the task's id. Its record names the schedule and the operation.
    Options: :class:`z4j_django.verb_options.RunScheduleOptions`.
    """
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("run_schedule", name, meant(options), actor=actor, **how)


def skip_next_run(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have beat leave out a schedule's next run, and keep its time.

    The operation waits until beat has done so; :func:`abort` takes it back. A beat with this app
    has to run, which learns of it within some 10 seconds.
    """
    return perform("skip_next_run", name, {}, actor=actor, project=project, surface=surface)


def enable_schedule(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Switch on a periodic task of django-celery-beat, from now on."""
    return perform("enable_schedule", name, {}, actor=actor, project=project, surface=surface)


def disable_schedule(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Switch off a periodic task of django-celery-beat, until it is switched on."""
    return perform("disable_schedule", name, {}, actor=actor, project=project, surface=surface)


def silence_alerts(
    condition: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
    **options: Any,
) -> Operation:
    """Tell nobody of a condition, or of ``all``, for a while; ``result_id`` is the silence's id.

    Options: :class:`z4j_django.verb_options.SilenceOptions`.
    """
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("silence_alerts", condition, meant(options), actor=actor, **how)


def end_silence(
    silence_id: int | str,
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """End a silence before its time: what holds still of what it held back is told."""
    how: dict[str, Any] = {"project": project, "surface": surface}
    return perform("end_silence", str(silence_id), {}, actor=actor, **how)


def test_channel(
    name: str,
    *,
    actor: permissions.Actor,
    project: str | None = None,  # noqa: PT028  # it is no test of pytest's
    surface: auditing.Surface = "python",  # noqa: PT028
) -> Operation:
    """Send a test message to an alert channel, once, within 10 seconds."""
    return perform("test_channel", name, {}, actor=actor, project=project, surface=surface)


def _steering(verb: verbs.Verb) -> Callable[..., Operation]:
    """The public function of a verb that acts on workers."""

    def steer(
        hostnames: Iterable[str] | str | None,
        *,
        actor: permissions.Actor,
        project: str | None = None,
        surface: auditing.Surface = "python",
        **options: Any,
    ) -> Operation:
        how: dict[str, Any] = {"project": project, "surface": surface}
        return perform(verb.name, hostnames, meant(options), actor=actor, **how)

    steer.__name__ = steer.__qualname__ = verb.name
    steer.__doc__ = (
        f"{verb.summary}.\n\n{verb.about}\n\nNone for the names is all workers that are online on "
        f"record.\nOptions: :class:`z4j_django.verb_options.{verb.options.__name__}`."
    )
    return steer


add_consumer = _steering(verbs.ADD_CONSUMER)
autoscale = _steering(verbs.AUTOSCALE)
cancel_consumer = _steering(verbs.CANCEL_CONSUMER)
disable_events = _steering(verbs.DISABLE_EVENTS)
enable_events = _steering(verbs.ENABLE_EVENTS)
ping = _steering(verbs.PING)
pool_grow = _steering(verbs.POOL_GROW)
pool_restart = _steering(verbs.POOL_RESTART)
pool_shrink = _steering(verbs.POOL_SHRINK)
rate_limit = _steering(verbs.RATE_LIMIT)
shutdown = _steering(verbs.SHUTDOWN)
time_limit = _steering(verbs.TIME_LIMIT)
