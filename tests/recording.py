"""What handlers of Celery's signals tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from z4j_django.agent import events
from z4j_django.agent.signal_handlers import SignalHandlers
from z4j_django.agent.task_signals import TaskSignals


class Recorder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.losses: list[Exception] = []
        self.wanted = True
        self.failing = False

    def wants_events(self) -> bool:
        return self.wanted

    def record(self, event: events.Event) -> None:
        if self.failing:
            raise OSError(28, "no space left on device")
        self.events.append(event)

    def lost(self, error: Exception) -> None:
        self.losses.append(error)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@contextmanager
def recording(
    *kinds: Callable[[Recorder], SignalHandlers],
) -> Iterator[Recorder]:
    """What handlers of these kinds tell meanwhile, by default those of tasks."""
    recorder = Recorder()
    with ExitStack() as stack:
        for kind in kinds or (TaskSignals,):
            handlers = kind(recorder)
            handlers.connect()
            stack.callback(handlers.disconnect)
        yield recorder
