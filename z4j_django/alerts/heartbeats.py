"""Calls the addresses of services that watch whether all goes well: a dead man's switch.

Who calls is whoever looks after the project, once a minute, and only while it does so: tasks are
recorded, the conditions evaluated, and the alerts sent. A service that is called no more tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from z4j_django import logs, states
from z4j_django.alerts import sender
from z4j_django.background import Background
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.models import AlertHeartbeat, ConditionRecord, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.values import clean, identifier

logger = logs.logger("z4j_django.alerts")

#: Seconds from one call to the next, and for an answer.
EVERY: Final = 60.0
TIMEOUT: Final = 10.0
#: How long an alert may wait to be sent.
STUCK: Final = timedelta(minutes=15)
#: While one of these holds, tasks are not recorded, or it is not known what is wrong.
_BROKEN: Final = ("journal_stopped", "journal_behind", "not_evaluated")


class Heart:
    """Calls what a project names, when it is time to.

    Args:
        project: Which.
        clock: The moment, by the database's clock.
    """

    def __init__(self, project: str, clock: Callable[[], datetime]) -> None:
        self.project = project
        self._clock = clock
        self._next = time.monotonic()
        failure = "The heartbeats could not be sent"
        self._own = Background("z4j-heartbeat", logger, failure)
        self._schedules = Background("z4j-heartbeats", logger, failure)

    def begin(self, trouble: str = "") -> None:
        """Call, if it is time to, what nobody waits for an answer of still.

        Args:
            trouble: What the caller knows to be wrong; nothing for the project is called then.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        # Apart: however many of the schedules' addresses hang, the project's own is called.
        if settings.HEARTBEAT_URL:
            self._own.begin(lambda: self.beat(trouble))
        if settings.ALERTS.HEARTBEATS:
            self._schedules.begin(self.beat_schedules)

    def join(self, seconds: float) -> None:
        """Wait until it has called, or so long."""
        until = time.monotonic() + seconds
        for one in (self._own, self._schedules):
            one.join(max(until - time.monotonic(), 0.0))

    def beat(self, trouble: str = "") -> None:
        """Call what is to be called for the project, once."""
        if (url := settings.HEARTBEAT_URL) is None:
            return
        now = self._clock()
        if reason := trouble or wrong(self.project, now):
            _note(self.project, "", is_ok=False, answer=reason)
            return
        is_ok, answer = _called(url)
        _note(self.project, "", is_ok=is_ok, answer=answer, called_at=now)

    def beat_schedules(self) -> None:
        """Call what is to be called for each schedule, once."""
        now = self._clock()
        for schedule, address, ended in _due(self.project, settings.ALERTS.HEARTBEATS):
            is_ok, answer = _called(address)
            told = {"told_of": ended} if is_ok else {}
            _note(self.project, schedule, is_ok=is_ok, answer=answer, called_at=now, **told)


def wrong(project: str, now: datetime) -> str:
    """Why the service is not to be called, in a sentence; empty where all goes well."""
    holding = primary(ConditionRecord).filter(project=project, is_open=True, key__in=_BROKEN)
    found = holding.order_by("id").values_list("key", flat=True).first()
    if found is not None:
        return f"Not called: {CONDITIONS[found].title} ({found})."
    if sender.is_stuck(project, now, STUCK):
        return "Not called: an alert has waited for a quarter of an hour to be sent."
    return ""


def _due(project: str, wanted: Mapping[str, str]) -> Iterator[tuple[str, str, datetime]]:
    """The schedules whose task has succeeded since that was last told, and when it did."""
    rows = primary(AlertHeartbeat).filter(project=project)
    told = dict(rows.values_list("schedule", "told_of"))
    for name, address in wanted.items():
        mine = TaskRecord.objects.filter(project=project, schedule=name)
        done = mine.filter(state=states.SUCCESS, finished_at__isnull=False).order_by("-id")
        ended = done.values_list("finished_at", flat=True).first()
        last = told.get(identifier(name))
        if ended is not None and (last is None or ended > last):
            yield name, address, ended


def _called(url: str) -> tuple[bool, str]:
    """Whether it answered well, and what."""
    from z4j_django.alerts import http  # it takes a megabyte

    try:
        # Who writes the settings may name what only this host reaches.
        reply = http.post(url, b"", {}, timeout=TIMEOUT, allows_private=True)
    except (http.RefusedError, http.UnsentError, http.UnansweredError) as error:
        return False, str(error)
    except TimeoutError:
        return False, f"There was no answer within {TIMEOUT:g} s."
    return 200 <= reply.status < 300, f"It answered with status {reply.status}."


def _note(project: str, schedule: str, **values: Any) -> None:
    values["answer"] = clean(values["answer"])
    rows = primary(AlertHeartbeat)
    rows.update_or_create(project=project, schedule=identifier(schedule), defaults=values)
