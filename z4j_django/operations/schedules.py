"""What an operator does to schedules: run one now, leave out its next run, switch it on and off.

A periodic task of django-celery-beat is also edited in its own admin: nothing but the columns that
a verb is about is written.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from msgspec import UNSET

from z4j_django import permissions, verbs, wiring
from z4j_django.control import bodies, scheduling
from z4j_django.control.scheduling import Sending
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget
from z4j_django.models.primary import update
from z4j_django.operations import asking, auditing, shown_options, signatures, skips
from z4j_django.queries import liveness, schedule_runs, schedules, timetable
from z4j_django.values import SHORT, UNSTORABLE, identifier

#: Seconds in which the broker must take a message.
TIMEOUT: Final = 10.0
_OF_SETTINGS: Final = (
    "It stands in the app's beat_schedule, which no one changes while beat runs: take it out there."
)


@dataclass(frozen=True)
class Known:
    """A schedule, wherever it is kept.

    Attributes:
        name: Its name.
        row: The periodic task of django-celery-beat; ``None`` for one of the app's own settings.
        sending: What that entry of the settings publishes, where it is one.
    """

    name: str
    row: Any = None
    sending: Sending | None = None


def find(name: str) -> Known:
    """The schedule of this name.

    Raises:
        OperationError: If there is none.
    """
    if isinstance(name, str) and 0 < len(name) <= SHORT and not UNSTORABLE.search(name):
        if schedules.is_installed() and (row := schedules.named(name)) is not None:
            return Known(name, row)
        if (sending := scheduling.of_settings(_find_app(), name)) is not None:
            return Known(name, sending=sending)
    raise OperationError(f"There is no schedule {str(name)[:60]!a}.")


def run(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Publish a schedule's task now; see :func:`z4j_django.operations.run_schedule`."""
    verb = verbs.RUN_SCHEDULE.name
    read = asking.asked(verb, options, actor=actor, surface=surface)
    known = find(name)
    sending = _sending(known)
    _require_callable(read, sending)
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.SCHEDULE,
        project=project,
        parameters=shown_options.shown(read, [sending.task]),
        holds=identifier(f"{auditing.own_project(project)}/schedule {name}"),
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_ran(sending, read, operation) for _ in targets]

    return auditing.carry_out(operation, act)


def skip(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Have beat leave out the next run; see :func:`z4j_django.operations.skip_next_run`."""
    verb = verbs.SKIP_NEXT_RUN.name
    asking.asked(verb, options, actor=actor, surface=surface)
    own = auditing.own_project(project)
    window = _window(own, find(name))
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.SCHEDULE,
        project=own,
        parameters=window,
        waiting=True,
        holds=identifier(f"{own}/skip {name}"),
    )
    reason = f"Beat will leave out the run of {window['due']}."
    update(operation.targets.all(), reason=reason)
    return operation


def switch(
    verb: str,
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Switch a schedule on or off; see :func:`z4j_django.operations.enable_schedule`."""
    asking.asked(verb, options, actor=actor, surface=surface)
    known = find(name)
    if known.row is None:
        raise OperationError(_OF_SETTINGS)
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.SCHEDULE,
        project=project,
    )
    wanted = verb == verbs.ENABLE_SCHEDULE.name

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_switched(known, wanted) for _ in targets]

    return auditing.carry_out(operation, act)


def preview(verb: str, name: str, options: Mapping[str, Any], project: str) -> auditing.Outcome:
    """What would come of it.

    Raises:
        OperationError: If it would be refused as a whole.
    """
    read = asking.options_of(verb, options, surface="command")
    known = find(name)
    if verb == verbs.RUN_SCHEDULE.name:
        sending = _sending(known)
        _require_callable(read, sending)
        return auditing.done(f"{sending.task} is published now.")
    if verb == verbs.SKIP_NEXT_RUN.name:
        due = _window(auditing.own_project(project), known)["due"]
        return auditing.done(f"Beat will leave out the run of {due}.")
    if known.row is None:
        raise OperationError(_OF_SETTINGS)
    wanted = verb == verbs.ENABLE_SCHEDULE.name
    if refusal := _pointless(known.row, wanted):
        return auditing.refused(refusal)
    return auditing.done()


def _ran(sending: Sending, read: Any, operation: Operation) -> auditing.Outcome:
    new_id = signatures.new_id()
    try:
        scheduling.publish(
            _find_app(),
            _with(sending, read),
            task_id=new_id,
            operation=operation.pk,
            timeout=TIMEOUT,
        )
    except TimeoutError as error:
        return auditing.Outcome(OperationTarget.Outcome.UNKNOWN, str(error), new_id)
    return auditing.done("", new_id)


def _with(sending: Sending, read: Any) -> Sending:
    given = {name: getattr(read, name) for name in ("args", "kwargs")}
    return replace(sending, **{name: value for name, value in given.items() if value is not UNSET})


def _require_callable(read: Any, sending: Sending) -> None:
    """See that the task takes its arguments; else Celery would not send it, where it knows it."""
    found = _with(sending, read)
    bodies.check_arguments(_find_app(), found.task, found.args, found.kwargs)


def _sending(known: Known) -> Sending:
    """What beat would publish for it.

    Raises:
        OperationError: If it would publish nothing, or what nobody would run.
    """
    row = known.row
    if known.sending is not None:
        return known.sending
    if row.expires is not None and row.expires <= timezone.now():
        raise OperationError(
            f"It expired at {row.expires.isoformat()}: a worker would throw its task away."
        )
    options = {
        name: getattr(row, name)
        for name in ("queue", "exchange", "routing_key", "priority")
        if getattr(row, name) is not None
    }
    if expires := row.expires or row.expire_seconds:
        options["expires"] = expires
    try:
        args, kwargs = json.loads(row.args or "[]"), json.loads(row.kwargs or "{}")
        headers = {**json.loads(row.headers or "{}"), "periodic_task_name": row.name}
    except (TypeError, ValueError, RecursionError):
        raise OperationError(
            "Its arguments or headers are no JSON: beat does not send it either."
        ) from None
    return Sending(row.name, row.task, args, kwargs, {**options, "headers": headers})


def _window(project: str, known: Known) -> dict[str, Any]:
    """The run that beat is to leave out, and when it comes to send it.

    Raises:
        OperationError: If there is none, or nobody would leave it out.
    """
    now = timezone.now()
    beats = schedule_runs.beats(project)
    if not any(liveness.presence(one, now) == "online" for one in beats):
        raise OperationError("No beat with this app is online: nobody would leave the run out.")
    if known.row is not None and not known.row.enabled:
        raise OperationError("It is switched off: there is no next run.")
    entry = next((one for one in timetable.entries() if one.name == known.name), None)
    if entry is None:
        raise OperationError("It does not come again, or when it does can't be foretold.")
    if entry.expires is not None and entry.expires <= now:
        raise OperationError(f"It expired at {entry.expires.isoformat()}: there is no next run.")
    for operation in skips.waiting().filter(targets__target=known.name):
        raise OperationError(f"Operation {operation.pk} has beat leave out its next run already.")
    last = schedule_runs.last_by_beat(project, entry)
    return skips.window(entry, last, now)


def _switched(known: Known, wanted: bool) -> auditing.Outcome:
    """In one statement: of two operators in one instant, one finds it as the other left it."""
    rows = schedules.rows_named(known.name)
    values: dict[str, Any] = {"enabled": wanted, "date_changed": timezone.now()}
    if refusal := _pointless(known.row, wanted):
        return auditing.refused(refusal)
    if not wanted:
        # As django-celery-beat does: what is missed meanwhile is not made up for.
        values["last_run_at"] = None
    with transaction.atomic(using=rows.db):
        changed = rows.filter(enabled=not wanted).update(**values)
        if changed:
            schedules.note_change(rows.db)
    if changed:
        return auditing.done()
    return auditing.refused(_already(wanted) if rows.exists() else "It is there no more.")


def _pointless(row: Any, wanted: bool) -> str:
    if row.enabled == wanted:
        return _already(wanted)
    if wanted and row.expires is not None and row.expires <= timezone.now():
        return f"It expired at {row.expires.isoformat()}: beat would switch it off at once."
    return ""


def _already(wanted: bool) -> str:
    return f"It is switched {'on' if wanted else 'off'} already."


def _find_app() -> Any:
    return wiring.find_celery_app().app


#: What carries out each verb that acts on schedules.
HANDLERS: Final[dict[str, Callable[..., Operation]]] = {
    verbs.RUN_SCHEDULE.name: run,
    verbs.SKIP_NEXT_RUN.name: skip,
    **{
        verb.name: functools.partial(switch, verb.name)
        for verb in (verbs.ENABLE_SCHEDULE, verbs.DISABLE_SCHEDULE)
    },
}
