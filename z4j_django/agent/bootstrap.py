"""The agent of a process: records what it captures, and sees to it that someone ships it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from celery import signals

from z4j_django import __version__
from z4j_django.agent import events, journal, originals, shipper, shipper_process
from z4j_django.agent.journal import Journal
from z4j_django.agent.process import Process
from z4j_django.agent.sampling import Sampling
from z4j_django.agent.task_signals import TaskSignals
from z4j_django.agent.worker_signals import WorkerSignals

logger = logging.getLogger("z4j_django.agent")
#: Says once in each worker that it records.
bootstrap_logger = logging.getLogger("z4j.celery.worker_bootstrap")

#: Seconds between two log lines about lost events.
LOG_EVERY: Final = 60.0
#: Seconds between two looks whether the journal still has its shipper.
WATCH_EVERY: Final = 0.5
#: Seconds that a worker waits at shutdown for its shipper to have stored everything.
DRAIN_WORKER: Final = 10.0
#: Seconds that any other process spends at exit on what it wrote itself.
DRAIN_PUBLISHER: Final = 2.0
#: Seconds after which a publisher counts as long-lived, and looks whether anyone ships.
LONG_LIVED: Final = 1.0
#: What a worker that records says of itself in Celery's own events, with our version.
MARK: Final = "z4j"


@dataclass(frozen=True)
class Config:
    """What the agent is told by the framework it runs in."""

    #: Where the journal lies. Asked when the first event comes: a server may drop its privileges
    #: after it has loaded the project.
    find_directory: Callable[[], Path]
    project: str
    #: Makes the sink, in whichever process ships: ``module:attribute``.
    sink: str
    #: Names the Celery app, for the log.
    describe_app: Callable[[], str]
    framework: str
    shipping: Literal["process", "thread", "external"] = "process"
    #: Bytes of the journal past which the oldest closed segments go.
    max_bytes: int = shipper.MAX_BYTES
    #: Whether to record under a test runner, too.
    under_tests: bool = False
    #: Which tasks are noise, see ``Sampling``.
    sampling: Mapping[str, float | None] = field(default_factory=dict)
    #: Bytes of a message's body that is kept for a retry; ``None`` to keep no message at all.
    payload_limit: int | None = originals.LIMIT


class Agent:
    """Takes the events of this process to its journal.

    Args:
        config: What the framework says.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._journal: Journal | None = None
        #: Events that could not be written, and how many of them the journal knows of.
        self.losses = 0
        self._told_losses = 0
        self._signal_handlers = (
            TaskSignals(self, Sampling(config.sampling), config.payload_limit),
            WorkerSignals(self),
        )
        self._process = Process()
        self._wanted: bool | None = None
        self._is_worker = False
        #: The worker of this process, from its start until Celery says that it stops.
        self._hostname = ""
        self._shipping: _Shipping | None = None
        self._logged = -LOG_EVERY
        os.register_at_fork(after_in_child=self._after_fork)

    def install(self) -> None:
        """Listen to Celery's signals from here on."""
        global _installed
        _installed = self
        for handlers in self._signal_handlers:
            handlers.connect()
        signals.worker_init.connect(self._on_worker_init, weak=False, dispatch_uid="z4j.init")
        # A pool child that was spawned, not forked, starts with a fresh agent.
        signals.worker_process_init.connect(
            self._on_worker_init, weak=False, dispatch_uid="z4j.pool"
        )
        signals.worker_ready.connect(self._on_worker_ready, weak=False, dispatch_uid="z4j.ready")
        signals.worker_shutdown.connect(self._on_shutdown, weak=False, dispatch_uid="z4j.stop")
        atexit.register(self._on_exit)

    def wants_events(self) -> bool:
        """Whether this process records; decided when the first event comes."""
        if self._wanted is None:
            self._wanted = self._process.may_record(under_tests=self.config.under_tests)
        return self._wanted

    @property
    def journal(self) -> Journal:
        """This process's journal."""
        if self._journal is None:
            self._journal = Journal(self.config.find_directory(), self.config.project)
        return self._journal

    def record(self, event: events.Event) -> None:
        """Write ``event`` to the journal.

        Raises:
            OSError: If the disk does not take it.
            JournalError: If the journal's directory can't be used.
        """
        self.journal.write(events.encode(event))
        if self.losses != self._told_losses:
            self._tell_losses()
        if self._shipping is None and not self._is_worker:
            self._ship_from_here()

    def note(self, event: events.Event) -> None:
        """Record what no signal of Celery's tells, if this process records; never raises."""
        if not self.wants_events():
            return
        try:
            self.record(event)
        except Exception as error:  # counted, as what a handler could not record
            self.lost(error)

    def lost(self, error: Exception) -> None:
        """Count an event that could not be captured, and log the reason once a minute."""
        self.losses += 1
        now = time.monotonic()
        if now - self._logged >= LOG_EVERY:
            self._logged = now
            logger.error(
                "z4j could not record an event (%d lost in this process so far): %s: %s",
                self.losses,
                type(error).__name__,
                error,
            )

    def _tell_losses(self) -> None:
        untold = self.losses - self._told_losses
        loss = events.LossEvent(events.UNWRITTEN, untold, time.time())
        self.journal.write(events.encode(loss))
        self._told_losses += untold

    def _ship_from_here(self) -> None:
        """See to shipping from a process that publishes."""
        if self.config.shipping == "external":
            return
        self._shipping = ShippingThread(self.config, first_look=LONG_LIVED)
        self._shipping.start()

    def _on_worker_init(self, **kwargs: Any) -> None:
        self._is_worker = True
        if self.wants_events():
            from celery.worker import state  # much code that only a worker needs

            # So that nobody records this worker once more from the events that it sends.
            state.SOFTWARE_INFO[MARK] = __version__

    def _on_worker_ready(self, sender: Any, **kwargs: Any) -> None:
        if not self.wants_events():
            return
        self._hostname = sender.hostname
        try:
            if self.config.shipping == "process":
                self._shipping = ShipperProcess(self.config)
            elif self.config.shipping == "thread":
                self._shipping = ShippingThread(self.config, first_look=0.0)
            if self._shipping is not None:
                self._shipping.start()
            bootstrap_logger.info(
                "z4j worker bootstrap: agent runtime started (celery_app=%s, framework=%s)",
                self.config.describe_app(),
                self.config.framework,
            )
        except Exception:  # a worker that can't ship still works
            logger.exception("z4j could not start its shipper in this worker")

    def _on_shutdown(self, **kwargs: Any) -> None:
        self._hostname = ""
        self._stop_shipping(DRAIN_WORKER)

    def _on_exit(self) -> None:
        if self._hostname:  # a cold shutdown, of which Celery says nothing
            offline = events.WorkerEvent(events.WORKER_OFFLINE, self._hostname, time.time())
            with contextlib.suppress(Exception):  # nobody is left to be told
                self.record(offline)
        self._stop_shipping(DRAIN_PUBLISHER)

    def _stop_shipping(self, seconds: float) -> None:
        if self.losses != self._told_losses:
            with contextlib.suppress(Exception):  # the disk may still be full
                self._tell_losses()
        if self._journal is not None:
            self._journal.close()  # so that the shipper reads it to its end, and deletes it
        shipping, self._shipping = self._shipping, None
        if shipping is not None:
            with contextlib.suppress(Exception):  # what is left waits in the journal
                shipping.stop(seconds)

    def _after_fork(self) -> None:
        """The parent's threads are not here; its journal and its losses are its own affair."""
        self._shipping = None
        self._journal = None
        self._hostname = ""
        self.losses = self._told_losses = 0


_installed: Agent | None = None


def installed() -> Agent | None:
    """The agent that listens in this process, if there is one."""
    return _installed


class _Shipping:
    """Something that keeps a journal shipped while this process lives."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.directory = config.find_directory()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="z4j-shipping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Store what is there, and end; takes no longer than ``seconds``."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        raise NotImplementedError


class ShipperProcess(_Shipping):
    """Keeps a shipper process running: a worker's part.

    Whichever worker of the journal is first starts it, and any of them starts the next.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._child: subprocess.Popen[bytes] | None = None

    def stop(self, seconds: float) -> None:
        """Have our shipper store what is there; takes no longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        super().stop(seconds)
        if journal.segments(self.directory):
            self._look()  # ours may have been told to stop before we were
        if self._child is not None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(max(deadline - time.monotonic(), 0.1))

    def _run(self) -> None:
        self._look()
        while not self._stop.wait(WATCH_EVERY):
            self._look()

    def _look(self) -> None:
        """See whether someone ships; if not, start the one who does."""
        try:
            running = self._child is not None and self._child.poll() is None
            if not running and shipper.process_lease(self.directory).is_free():
                self._child = self._spawn()
        except Exception as error:  # tried again at the next look
            logger.warning("z4j could not start a shipper: %s: %s", type(error).__name__, error)

    def _spawn(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        # It inherits this: told to stop while it starts, it hears of it once it listens.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return subprocess.Popen(  # noqa: S603  # our own module, our own arguments
                shipper_process.command(
                    self.directory, self.config.sink, os.getpid(), self.config.max_bytes
                ),
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class ShippingThread(_Shipping):
    """Ships from a thread where no shipper process does: a publisher's part.

    Args:
        config: What the framework says.
        first_look: Seconds to wait first; a script is gone by then.
    """

    def __init__(self, config: Config, first_look: float) -> None:
        super().__init__(config)
        self.first_look = first_look

    def _run(self) -> None:
        process = shipper.process_lease(self.directory)
        mine = shipper.lease(self.directory)
        wait = self.first_look
        while not self._stop.wait(wait):
            wait = LONG_LIVED
            self._ship_while_alone(process, mine)
        self._ship_while_alone(process, mine)

    def _ship_while_alone(self, process: Any, mine: Any) -> None:
        """Ship until told to stop, or until a shipper process wants to."""
        try:
            if not process.is_free() or not mine.acquire():
                return
            sink = shipper_process.load_sink(self.config.sink)
            ship = shipper.Shipper(self.directory, sink, self.config.max_bytes)
            try:
                ship.run(self._stop, until=lambda: not process.is_free())
                if self._stop.is_set():
                    ship.drain(DRAIN_PUBLISHER)
            finally:
                ship.close()
        except Exception as error:  # tried again at the next look
            logger.warning("z4j could not ship: %s: %s", type(error).__name__, error)
        finally:
            mine.release()
