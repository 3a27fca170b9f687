"""What all handlers of Celery's signals have in common: they harm nobody."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

from celery.exceptions import SoftTimeLimitExceeded

from z4j_django.agent import events


class Recorder(Protocol):
    """Takes what was captured."""

    def wants_events(self) -> bool:
        """Whether this process records at all."""

    def record(self, event: events.Event) -> None:
        """Keep ``event``."""

    def lost(self, error: Exception) -> None:
        """Take note that an event could not be kept."""


def never_raises(handler: Callable[..., None]) -> Callable[..., None]:
    """Leave the task alone whatever goes wrong in ``handler``; the recorder counts it."""

    @functools.wraps(handler)
    def guarded(self: SignalHandlers, **kwargs: Any) -> None:  # Celery names all arguments
        if not self.recorder.wants_events():
            return
        try:
            handler(self, **kwargs)
        except SoftTimeLimitExceeded as error:  # it is for the task, wherever it comes
            self.recorder.lost(error)
            raise
        except Exception as error:  # counted, and the task goes on
            self.recorder.lost(error)

    return guarded


class SignalHandlers:
    """Handlers of some of Celery's signals.

    Args:
        recorder: Where the events go.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """The handlers, by signal."""
        raise NotImplementedError

    def connect(self) -> None:
        """Listen to Celery's signals."""
        for signal, handler in self.handlers().items():
            signal.connect(handler, weak=False, dispatch_uid=self._uid(handler))

    def disconnect(self) -> None:
        """Listen no more."""
        for signal, handler in self.handlers().items():
            signal.disconnect(dispatch_uid=self._uid(handler))

    def _uid(self, handler: Callable[..., None]) -> str:
        return f"z4j_django.{id(self)}.{handler.__name__}"
