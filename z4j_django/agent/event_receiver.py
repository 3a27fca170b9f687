"""Listens to Celery's own events, the ones that ``celery worker -E`` sends.

:class:`Receiver` is behind ``manage.py z4j_events``, :class:`Camera` is for ``celery events``.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from celery.events.snapshot import Polaroid
from celery.utils.time import adjust_timestamp, utcoffset

from z4j_django import logs
from z4j_django.agent import bootstrap, events
from z4j_django.agent.event_translation import LOG_EVERY, Counts, Translator, seconds
from z4j_django.exceptions import Z4JError
from z4j_django.values import LAST_MOMENT

logger = logs.logger("z4j_django.receiver")

#: Seconds between two tries of a broker that is away: the first and the longest.
BACKOFF: Final = (0.5, 30.0)
#: Seconds to wait for an event before looking at anything else.
DRAIN: Final = 1.0
#: Seconds between two requests to the workers to say who they are.
ASK_EVERY: Final = 2.0
#: Events that a camera keeps between two shots.
SHOT: Final = 5_000


class Receiver:
    """Listens to a broker's events, and comes back whenever the broker does.

    Args:
        app: The Celery app whose broker it is.
        agent: Takes the events to the journal.
        say: Is told of connections found and lost.
    """

    def __init__(
        self, app: Any, agent: bootstrap.Agent, say: Callable[[str], None] = logger.info
    ) -> None:
        self.app = app
        self.agent = agent
        self.translator = Translator(functools.partial(_record, agent))
        self._say = say
        self._summarise: Callable[[], None] = lambda: None
        self._summarised = time.monotonic()
        #: One queue for our whole life: where it is durable, it bridges a broken connection.
        self._queue = f"z4j.{uuid.uuid4()}"
        self._failures = 0
        self._logged = 0.0

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        return self.translator.counts

    def run(self, stop: threading.Event, summarise: Callable[[], None] = lambda: None) -> None:
        """Listen until told to stop.

        Args:
            stop: Set to stop.
            summarise: Called about once a minute.
        """
        self._summarise = summarise
        while not stop.is_set():
            try:
                with self.app.connection_for_read(
                    heartbeat=self.app.conf.broker_heartbeat
                ) as connection:
                    self._listen(connection, stop)
            except Exception as error:  # whatever a broker's end looks like from here
                stop.wait(self._back_off(error))
        self.translator.release(held_for=0.0)

    def _listen(self, connection: Any, stop: threading.Event) -> None:
        tries = max(len(connection.alt), 1)
        connection.ensure_connection(max_retries=tries, interval_start=0.0, interval_step=0.0)
        source = self.app.events.Receiver(connection, node_id=self._queue)
        consumer = connection.Consumer(
            [source.queue],
            channel=source.channel,
            callbacks=[lambda body, message: self.translator.take(body)],
            on_decode_error=lambda message, error: self.translator.turned_down(error),
            accept=source.accept,
            no_ack=True,
        )
        with consumer:
            self._failures = 0
            self._say(f"Listening to the events of {connection.as_uri()}")
            source.wakeup_workers(channel=source.channel)
            self._drain(connection, source, stop)
        if source.queue.auto_delete:  # which not every transport does by itself
            source.queue(source.channel).delete()

    def _drain(self, connection: Any, source: Any, stop: threading.Event) -> None:
        looked = asked = time.monotonic()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=DRAIN)
            now = time.monotonic()
            if now - looked < DRAIN:
                continue
            looked = now
            connection.heartbeat_check()
            if self.translator.has_strangers and now - asked >= ASK_EVERY:
                asked = now
                source.wakeup_workers(channel=source.channel)
            self._look_after()

    def _look_after(self) -> None:
        self.translator.release()
        now = time.monotonic()
        if now - self._summarised >= LOG_EVERY:
            self._summarised = now
            self._summarise()

    def _back_off(self, error: Exception) -> float:
        self._failures += 1
        now = time.monotonic()
        if self._failures == 1 or now - self._logged >= LOG_EVERY:
            self._logged = now
            self._say(f"The broker is away, we try again: {type(error).__name__}: {error}")
        self._look_after()
        wait: float = min(BACKOFF[0] * 2 ** min(self._failures - 1, 10), BACKOFF[1])
        return wait


class Camera(Polaroid):  # type: ignore[misc]  # Celery has no types
    """For ``celery events --camera=z4j_django.agent.event_receiver.Camera --frequency=2``.

    Each shot writes what the state has taken in since the last one: not what stands in the
    state, where an attempt overwrites the one before it, and where old tasks stay.

    Args:
        state: The state that ``celery events`` keeps.
        *args: As :class:`celery.events.snapshot.Polaroid` has them.
        **kwargs: As :class:`celery.events.snapshot.Polaroid` has them.

    Raises:
        Z4JError: If nothing says where the journal is.
    """

    def __init__(self, state: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(state, *args, **kwargs)
        self._agent = _agent_of(self.app)
        self._translator = Translator(self._keep)
        self._film: list[events.Event] = []
        state.event_callback = self._see
        state.__dict__.pop("_event", None)  # it remembers the callback that it began with

    def on_shutter(self, state: Any) -> None:
        """Write what has happened since the last shot."""
        self._translator.release()
        self._write()

    def cancel(self) -> None:
        """End, with a last shot."""
        super().cancel()
        self.state.freeze_while(self._finish)

    def _finish(self) -> None:
        self._translator.release(held_for=0.0)
        self._write()

    def _see(self, state: Any, event: dict[str, Any]) -> None:
        self._translator.take(_with_own_time(event))

    def _keep(self, event: events.Event) -> None:
        self._film.append(event)
        if len(self._film) >= SHOT:
            self._write()

    def _write(self) -> None:
        film, self._film = self._film, []
        for event in film:
            _record(self._agent, event)


def _agent_of(app: Any) -> bootstrap.Agent:
    """The agent that knows the journal; the project is loaded for it, as a worker loads it."""
    if bootstrap.installed() is None:
        app.loader.import_default_modules()
    agent = bootstrap.installed()
    if agent is None:
        raise Z4JError(
            "No agent is installed here. Is z4j_django in INSTALLED_APPS, does the Celery app "
            "load Django, and is z4j switched on?"
        )
    return agent


def _record(agent: bootstrap.Agent, event: events.Event) -> None:
    try:
        agent.record(event)
    except Exception as error:  # a full disk is no reason to stop listening
        agent.lost(error)


def _with_own_time(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its sender's seconds since the epoch.

    Celery's receiver moves them by the difference between the two hosts' time zones.
    """
    at, zone = seconds(event.get("timestamp"), LAST_MOMENT), event.get("utcoffset")
    if at is None or type(zone) not in (int, float):
        return event
    return {**event, "timestamp": adjust_timestamp(at, utcoffset(), here=lambda: zone)}
