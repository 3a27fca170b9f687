"""Tells the process itself of what begins and ends: by a Django signal, and to Sentry's trail."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from django.db import connections

from z4j_django import logs, signals
from z4j_django.alerts import composing
from z4j_django.alerts.message import Problem, Status
from z4j_django.models import ConditionRecord

logger = logs.logger("z4j_django.alerts")

#: Changes that wait for the receivers, at most.
LIMIT: Final = 1_000
_Change = tuple[Problem, Status]


@dataclass(frozen=True)
class Changes:
    """What a round found to be otherwise than the one before.

    Attributes:
        begun: What holds now.
        ended: What holds no more.
    """

    begun: list[ConditionRecord] = field(default_factory=list)
    ended: list[ConditionRecord] = field(default_factory=list)


class Teller:
    """Tells them, and waits for no receiver: those are called in a thread of its own, in turn.

    Args:
        project: Whose changes they are.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self._waiting: deque[_Change] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, changes: Changes) -> None:
        """Have whoever listens in this process told."""
        is_heard = signals.alert_changed.has_listeners(Problem)
        if not is_heard and "sentry_sdk" not in sys.modules:
            return
        found = list(_changed(changes))
        for alert, status in found:
            _leave_breadcrumb(alert, status)  # the trail is this thread's
        if not (found and is_heard):
            return
        with self._lock:
            room = LIMIT - len(self._waiting)
            self._waiting.extend(found[:room])
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="z4j-changes", daemon=True)
                self._thread.start()
        if len(found) > room:
            logger.warning("A receiver of alert_changed hangs: %d are not sent", len(found) - room)

    def join(self, seconds: float) -> None:
        """Wait until they are told, or so long."""
        if (thread := self._thread) is not None:
            thread.join(seconds)

    def _run(self) -> None:
        try:
            while (change := self._next()) is not None:
                alert, status = change
                # What receivers raise, Django logs.
                signals.alert_changed.send_robust(
                    Problem, alert=alert, status=status, project=self.project
                )
        finally:
            connections.close_all()  # this thread's own

    def _next(self) -> _Change | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._thread = None
            return None


def _changed(changes: Changes) -> Iterator[_Change]:
    yield from _problems(changes.begun, "firing")
    yield from _problems(changes.ended, "resolved")


def _problems(records: Iterable[ConditionRecord], status: Status) -> Iterator[_Change]:
    for record in records:
        yield composing.problem(record), status


def _leave_breadcrumb(alert: Problem, status: Status) -> None:
    """In Sentry's trail, where the project has loaded it."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is None:
        return
    level = "info" if status == "resolved" else "error" if alert.severity == "critical" else status
    try:
        sentry.add_breadcrumb(
            category="z4j",
            type="default",
            level="warning" if level == "firing" else level,
            message=f"{status}: {alert.title} {alert.subject}".rstrip(),
            data={"evidence": alert.evidence, "since": alert.since.isoformat(), "url": alert.url},
        )
    except Exception as error:  # whatever it makes of that
        logger.debug("Sentry takes no breadcrumb: %s", type(error).__name__)
