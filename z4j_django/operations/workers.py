"""Steering workers: which, whether it may be, and by one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from z4j_django import permissions, verbs
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.operations import asking, auditing, steering
from z4j_django.queries import liveness, workers
from z4j_django.values import is_storable

#: Stands for all workers that are online on record.
ALL: Final = None
#: Workers that are steered together, at most.
LIMIT: Final = workers.ONLINE_LIMIT
#: Time in which an operation has told a worker, or was killed.
_JUST_NOW: Final = timedelta(minutes=1)
_WILDCARD: Final = re.compile(r"[*?\[\]]")


def perform(
    verb: str,
    hostnames: Iterable[str] | str | None,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Do a verb to some workers; see :func:`z4j_django.operations.perform`."""
    read = asked(verb, options, actor=actor, surface=surface)
    own = auditing.own_project(project)
    named = names(own, hostnames)
    operation = auditing.begin(
        verb,
        named,
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.WORKER,
        project=project,
        parameters=read.as_json(),
    )
    return auditing.carry_out(
        operation,
        lambda targets: steering.Steering(operation, read, targets).outcomes(),
        at_once=LIMIT,
        claim=_require_alone,
    )


def asked(
    verb: str, options: Mapping[str, Any], *, actor: permissions.Actor, surface: auditing.Surface
) -> Any:
    """The options of a verb, where ``actor`` may do it, and they go together.

    Raises:
        PermissionDenied: If ``actor`` may not.
        OptionsError: If one can't be.
        OperationError: If one makes no sense beside another.
    """
    read = asking.asked(verb, options, actor=actor, surface=surface)
    shown = read.as_json()
    if verb == verbs.AUTOSCALE.name and shown.get("min", 0) > shown["max"]:
        raise OperationError("min: This is more than max.")
    if verb == verbs.TIME_LIMIT.name and shown.get("soft", 0) > shown.get("hard", float("inf")):
        raise OperationError("soft: This is more than hard: the process would be killed before.")
    return read


def names(project: str, hostnames: Iterable[str] | str | None) -> list[str]:
    """The workers that are meant, each once.

    Raises:
        OperationError: If there is none, or too many, or one can't be a worker's name.
    """
    if hostnames is ALL:
        found = [one.hostname for one in workers.online(project, timezone.now())]
        if not found:
            raise OperationError("No worker is online on record.")
        return found
    given = [hostnames] if isinstance(hostnames, str) else list(hostnames)
    if not given:
        raise OperationError("Nothing to act on: no worker was named.")
    if len(given) > LIMIT:
        raise OperationError(f"{len(given):,} workers are more than {LIMIT:,}. Do it in parts.")
    for name in given:
        _require_name(name)
    return list(dict.fromkeys(given))


def _require_name(name: Any) -> None:
    shown = repr(name)[:60]
    if not isinstance(name, str) or not name.strip() or not is_storable(name):
        raise OperationError(f"{shown} is no name of a worker.")
    if _WILDCARD.search(name):
        raise OperationError(
            f"{shown} has a wildcard in it: name each worker as it names itself, or take all."
        )


def preview(project: str | None, named: Sequence[str]) -> list[tuple[str, auditing.Outcome]]:
    """What is on record of some workers, as far as it tells whether they will answer."""
    now = timezone.now()
    records = steering.records_of(auditing.own_project(project), named)
    found = []
    for name in named:
        record = records.get(name)
        if record is None:
            words = "There is no worker of this name on record."
            found.append((name, auditing.unknown(words)))
        elif left := steering.left_word(record):
            found.append((name, auditing.refused(left)))
        else:
            found.append((name, auditing.done(f"It is {liveness.presence(record, now)}.")))
    return found


def _require_alone(targets: Sequence[OperationTarget]) -> dict[int, auditing.Outcome]:
    """Refuse the workers that another operation is steering just now.

    Each would see what the other has done. Whoever asks next waits for the end of this
    transaction, in which the targets were marked as begun.
    """
    project, hostnames = targets[0].project, [target.target for target in targets]
    rows = primary(WorkerRecord).filter(project=project, hostname__in=hostnames)
    list(rows.order_by("project", "hostname").select_for_update().values_list("pk"))
    others = OperationTarget.objects.filter(
        project=project,
        kind=OperationTarget.Kind.WORKER,
        target__in=hostnames,
        outcome=OperationTarget.Outcome.ACTING,
        at__gte=timezone.now() - _JUST_NOW,
    ).exclude(operation=targets[0].operation_id)
    busy = dict(others.values_list("target", "operation_id"))
    return {
        target.pk: auditing.refused(f"Operation {busy[target.target]} is steering it just now.")
        for target in targets
        if target.target in busy
    }
