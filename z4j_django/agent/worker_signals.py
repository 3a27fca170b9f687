"""Celery's signals about workers, turned into events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import celery
from celery import signals

from z4j_django.agent import events
from z4j_django.agent.process import is_embedded
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises

#: Seconds between two heartbeats of one worker in the journal.
HEARTBEAT_EVERY: Final = 10.0


class WorkerSignals(SignalHandlers):
    """The handlers of the signals about workers.

    Args:
        recorder: Where the events go.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._heartbeats: dict[str, float] = {}
        self._presence: Any = None
        #: Of the workers of this process: what beats for them, and which are embedded and online.
        self._timers: dict[str, Any] = {}
        self._embedded: set[str] = set()

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {
            signals.worker_init: self.worker_init,
            signals.worker_ready: self.worker_ready,
            signals.heartbeat_sent: self.heartbeat_sent,
            signals.worker_shutdown: self.worker_shutdown,
        }

    @never_raises
    def worker_init(self, sender: Any, **kwargs: Any) -> None:
        """A worker is being made; its steps are still to be put together."""
        # Much code that only a worker needs.
        from z4j_django.agent import (
            presence,
            process_usage,  # noqa: F401 - it registers itself
            soft_shutdown,  # noqa: F401 - it, too
        )

        if self._presence is None:
            self._presence = presence.step(self._consumer_started, self._consumer_stopped)
        sender.app.steps["consumer"].add(self._presence)

    @never_raises
    def worker_ready(self, sender: Any, **kwargs: Any) -> None:
        """A worker has connected and takes tasks."""
        pool = getattr(sender.controller, "pool_cls", None)
        queues = sender.app.amqp.queues
        self.recorder.record(
            events.WorkerEvent(
                kind=events.WORKER_ONLINE,
                hostname=sender.hostname,
                at=time.time(),
                pool=_pool_name(pool),
                concurrency=sender.controller.concurrency,
                queues=sorted(str(name) for name in queues.consume_from),
                version=f"celery {celery.__version__}",
            )
        )

    @never_raises
    def heartbeat_sent(self, sender: Any, **kwargs: Any) -> None:
        """The worker's main loop is alive."""
        self._beat(sender.eventer.hostname)

    @never_raises
    def worker_shutdown(self, sender: Any, **kwargs: Any) -> None:
        """The worker takes no more tasks; an embedded one has said so."""
        if not is_embedded(sender):
            self._stopped(sender.hostname)

    @never_raises
    def _consumer_started(self, sender: Any) -> None:
        hostname = sender.hostname
        if is_embedded(sender.controller) and hostname not in self._embedded:
            self._embedded.add(hostname)
            self.worker_ready(sender=sender)
        # The main loop's own timer, as Celery's heartbeat has it.
        told = {"hostname": hostname}
        self._timers[hostname] = sender.timer.call_repeatedly(
            HEARTBEAT_EVERY, self._timer_rang, kwargs=told
        )

    @never_raises
    def _consumer_stopped(self, sender: Any, is_end: bool) -> None:
        hostname = sender.hostname
        # Of a consumer that was never whole, as where its broker went away, there is none.
        if (timer := self._timers.pop(hostname, None)) is not None:
            sender.timer.cancel(timer)
        if is_end and hostname in self._embedded:
            self._embedded.discard(hostname)
            self._stopped(hostname)

    @never_raises
    def _timer_rang(self, hostname: str) -> None:
        self._beat(hostname)

    def _beat(self, hostname: str) -> None:
        now = time.time()
        if abs(now - self._heartbeats.get(hostname, 0.0)) >= HEARTBEAT_EVERY:
            self._heartbeats[hostname] = now
            self.recorder.record(events.WorkerEvent(events.WORKER_HEARTBEAT, hostname, now))

    def _stopped(self, hostname: str) -> None:
        self.recorder.record(events.WorkerEvent(events.WORKER_OFFLINE, hostname, time.time()))


def _pool_name(pool: Any) -> str:
    """As ``celery worker -P`` spells it."""
    name: str = getattr(pool, "__module__", "").rpartition(".")[2]
    return "threads" if name == "thread" else name
