"""What follows a round of the conditions: whoever listens is told, and messages are sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.module_loading import import_string

from z4j_django import logs
from z4j_django.alerts import telling
from z4j_django.alerts.changes import Changes, Teller
from z4j_django.alerts.heartbeats import Heart
from z4j_django.alerts.sender import Sender
from z4j_django.background import Background
from z4j_django.conf import settings
from z4j_django.secrets.masking import mask_text

#: What rules do by themselves. It stands above this package, and wants the project's Celery app.
_ACT: Final = "z4j_django.operations.automation.act"
logger = logs.logger("z4j_django.alerts")

#: Seconds that what is being sent or told has when its process ends.
END: Final = 5.0


class Watcher:
    """A process's part in it.

    Args:
        project: Whose.
        clock: The moment, by the database's clock.
        holder: What the log calls this process.
    """

    def __init__(self, project: str, clock: Callable[[], datetime], holder: str) -> None:
        self.project = project
        self._sender = Sender(project, clock, holder)
        self._teller = Teller(project)
        self._heart = Heart(project, clock)
        self._acting = Background("z4j-automation", logger, "The alerts could not be acted on")
        #: Failures that were logged.
        self._told: set[str] = set()

    def follow(self, now: datetime, found: Changes) -> None:
        """Tell what a round has found. It never raises, and waits for no channel or receiver.

        Args:
            now: The moment of the round.
            found: What is otherwise than before.
        """
        trouble = self._tried("told", lambda: telling.tell(self.project, now))
        self._tried("sent", self._sender.begin)
        self._tried("listened to", lambda: self._teller.begin(found))
        if self._sender.hangs:
            trouble = trouble or "Not called: the sending of alerts hangs."
        self._tried("acted on", lambda: self._act(now))
        self._tried("watched", lambda: self._heart.begin(trouble))

    def finish(self, seconds: float) -> None:
        """Wait until all that was begun is done; after so long it is left."""
        until = time.monotonic() + seconds - END
        for join in (self._sender.join, self._teller.join, self._acting.join, self._heart.join):
            join(max(until - time.monotonic(), 0.0))
        self.end()

    def end(self) -> None:
        """Send nothing more."""
        until = time.monotonic() + END
        self._sender.end(END)
        self._teller.join(max(until - time.monotonic(), 0.0))

    def _act(self, now: datetime) -> None:
        """Have rules do what they do by themselves, unless they are at it still."""
        if settings.ALERTS.AUTOMATION:
            self._acting.begin(lambda: import_string(_ACT)(self.project, now))

    def _tried(self, what: str, call: Callable[[], object]) -> str:
        """Why it failed, in a sentence; logged, but not each time."""
        try:
            call()
        except Exception as error:  # whatever a database raises: the conditions count
            reason = mask_text(f"{type(error).__name__}: {error}")
            if (line := f"{what}: {type(error).__name__}") not in self._told:
                self._told.add(line)
                logger.warning("The alerts could not be %s: %s", what, reason)
            return f"Not called: the alerts could not be {what}."
        return ""
