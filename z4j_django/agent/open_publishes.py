"""Publishes that have begun and not ended."""

from __future__ import annotations

import threading
from typing import Any, Final

from z4j_django.agent import events

#: Publishes within publishes that are remembered; of those that raised nobody tells the end.
NESTED: Final = 16


class OpenPublishes(threading.local):
    """The publishes of this thread that have begun, the innermost last.

    A receiver of ``before_task_publish`` may publish, and even the same id once more.
    """

    def __init__(self) -> None:
        self._begun: list[tuple[Any, events.TaskEvent | None]] = []

    def begin(self, task_id: Any, send: events.TaskEvent | None) -> None:
        """Keep what is to be recorded once the message has left."""
        self._begun.append((task_id, send))
        if len(self._begun) > NESTED:
            del self._begun[0]

    def end(self, task_id: Any) -> events.TaskEvent | None:
        """Take what was kept of the innermost publish of that id.

        Raises:
            LookupError: If none has begun.
        """
        begun = self._begun
        for index in range(len(begun) - 1, -1, -1):
            if begun[index][0] == task_id:
                return begun.pop(index)[1]
        raise LookupError("a publish ended that had not begun")
