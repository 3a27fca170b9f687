"""The periodic tasks of django-celery-beat, where that is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.db import router
from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone

from z4j_django.conf import settings
from z4j_django.secrets import redaction

#: The app's label.
APP: Final = "django_celery_beat"
#: The kinds of schedules; each is a foreign key.
KINDS: Final = ("interval", "crontab", "solar", "clocked")


def is_installed() -> bool:
    """Whether there are any: the project decides it."""
    return apps.is_installed(APP)


def every() -> QuerySet[Any]:
    """The periodic tasks.

    Beat itself reads the whole of this table whenever it changes: people make these by hand.
    """
    found: QuerySet[Any] = apps.get_model(APP, "PeriodicTask")._default_manager.all()
    return found


def switched_off(limit: int) -> list[Any]:
    """The periodic tasks that beat does not send until somebody switches them on; one query."""
    if not is_installed():
        return []
    found = every().filter(enabled=False).select_related(*KINDS).order_by("name", "pk")
    return list(found[:limit])


def fill(rows: Sequence[Any]) -> None:
    """Read what the rows of a page say of their schedules, in a query a kind that is there.

    Of a kind that no row has, Django 5.2.0 would ask for one that is NULL.
    """
    there = [name for name in KINDS if any(getattr(row, f"{name}_id") for row in rows)]
    prefetch_related_objects(rows, *there)


def find(number: int) -> Any:
    """The periodic task of this number; None where there is none."""
    return every().filter(pk=number).first()


def rows_named(name: str) -> QuerySet[Any]:
    """The periodic task of this name, where they are written."""
    model = apps.get_model(APP, "PeriodicTask")
    found: QuerySet[Any] = model._default_manager.using(router.db_for_write(model))
    return found.filter(name=name)


def named(name: str) -> Any:
    """The periodic task of this name; None where there is none."""
    row = rows_named(name).first()
    # MySQL takes a text for the same in capitals, or with spaces at its end.
    return row if row is not None and row.name == name else None


def note_change(alias: str) -> None:
    """Have beat read the periodic tasks again, which watches for this."""
    changes = apps.get_model(APP, "PeriodicTasks")._default_manager.using(alias)
    changes.update_or_create(ident=1, defaults={"last_update": timezone.now()})


def of_task(name: str, limit: int) -> list[Any]:
    """The periodic tasks that send the tasks of a name, in one query."""
    return list(every().filter(task=name).select_related(*KINDS).order_by("name")[:limit])


def kind(schedule: Any) -> str | None:
    """Which kind of schedule a periodic task has; None where it has none."""
    return next((name for name in KINDS if getattr(schedule, name) is not None), None)


def words(schedule: Any) -> str:
    """When a periodic task is due, in words; empty where it has no schedule."""
    found = kind(schedule)
    return str(getattr(schedule, found)) if found is not None else ""


def shown_args(schedule: Any) -> list[object] | None:
    """The positional arguments as they may be shown; None where they can't be read."""
    args = _decoded(schedule.args)
    if not isinstance(args, list):
        return None
    return redaction.redact_args(args, (), rules=settings.redaction)


def shown_kwargs(schedule: Any) -> dict[str, object] | None:
    """The keyword arguments as they may be shown; None where they can't be read."""
    kwargs = _decoded(schedule.kwargs)
    if not isinstance(kwargs, dict):
        return None
    shown = redaction.redact(kwargs, rules=settings.redaction)
    return shown if isinstance(shown, dict) else None


def _decoded(text: str) -> Any:
    """What somebody typed as JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
