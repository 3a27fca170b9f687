"""Celery's beat: that it is alive, and which entry of its schedule publishes what.

Celery sends one signal, when beat begins. So what it calls for each entry, and for each look at
its schedule, is wrapped in that one scheduler.
"""

from __future__ import annotations

import atexit
import functools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import celery
from celery import signals

from z4j_django.agent import events, skipping
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises

#: Seconds between two signs of life in the journal.
HEARTBEAT_EVERY: Final = 10.0
#: Seconds that a look at the schedule may take, and what it publishes.
LOOK: Final = 60.0


class _Publishing(threading.local):
    """The entry of the schedule for which this thread publishes."""

    entry = ""


_publishing: Final = _Publishing()


def entry() -> str:
    """The name of the entry of a schedule for which this thread publishes; empty for none."""
    return _publishing.entry


class BeatSignals(SignalHandlers):
    """The handler of beat's signal.

    Args:
        recorder: Where the events go.
        skips: What tells which runs are to be left out, see ``skipping.load``.
    """

    def __init__(self, recorder: Recorder, skips: str = "") -> None:
        super().__init__(recorder)
        self._path = skips
        self._skips: skipping.Skips | None = None
        self._hostname = ""
        #: Until when, by the monotonic clock, beat has no need to look at its schedule.
        self._due = 0.0
        self._stop = threading.Event()

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {signals.beat_init: self.beat_init}

    @never_raises
    def beat_init(self, sender: Any, **kwargs: Any) -> None:
        """Beat is about to begin, as a program or beside a worker."""
        scheduler = sender.scheduler
        scheduler.apply_async = _naming(self._skipping(scheduler))
        scheduler.tick = self._watching(scheduler.tick)
        self._hostname = f"{events.BEAT}@{socket.gethostname()}"
        self._say(events.WORKER_ONLINE, pool=events.BEAT, version=f"celery {celery.__version__}")
        self._due = time.monotonic() + LOOK
        threading.Thread(target=self._run, name="z4j-beat", daemon=True).start()
        atexit.register(self.stop)
        if (exchange := skipping.load(self._path)) is not None:
            self._skips = skipping.Skips(exchange)
            self._skips.start()

    def stop(self) -> None:
        """Say that beat ends."""
        if self._hostname and not self._stop.is_set():
            self._stop.set()
            self._say(events.WORKER_OFFLINE)

    def _skipping(self, scheduler: Any) -> Callable[..., Any]:
        """What publishes for an entry, unless that run is to be left out; beat keeps its time."""
        publish = scheduler.apply_async

        @functools.wraps(publish)
        def skipping_some(
            entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any
        ) -> Any:
            if self._skips is None or not self._skips.leaves_out(skipping.name_of(entry)):
                return publish(entry, producer=producer, advance=advance, **kwargs)
            if advance:
                scheduler.reserve(entry)
            return None

        return skipping_some

    def _watching(self, tick: Callable[..., Any]) -> Callable[..., Any]:
        """A look at the schedule that leaves word of when the next is due."""

        @functools.wraps(tick)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._due = time.monotonic() + LOOK
            seconds = tick(*args, **kwargs)
            if isinstance(seconds, (int, float)) and seconds > 0.0:
                self._due += seconds
            return seconds

        return watched

    def _run(self) -> None:
        """Show that it is alive for as long as it looks at its schedule when it has to."""
        while not self._stop.wait(HEARTBEAT_EVERY):
            if time.monotonic() < self._due:
                self._say(events.WORKER_HEARTBEAT)

    def _say(self, kind: str, **told: Any) -> None:
        try:
            self.recorder.record(events.WorkerEvent(kind, self._hostname, time.time(), **told))
        except Exception as error:  # counted, and beat goes on
            self.recorder.lost(error)


def _naming(publish: Callable[..., Any]) -> Callable[..., Any]:
    """What publishes for an entry, which names it meanwhile."""

    @functools.wraps(publish)
    def named(entry: Any, *args: Any, **kwargs: Any) -> Any:
        _publishing.entry = str(getattr(entry, "name", ""))
        try:
            return publish(entry, *args, **kwargs)
        finally:
            _publishing.entry = ""

    return named
