"""The agent of a process: records what it captures, and sees to it that someone ships it."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from typing import Any, Final

from celery import signals

from z4j_django import __version__, logs
from z4j_django.agent import events, forks, journal, losses, progress, shipping, stacks, task_logs
from z4j_django.agent.beat_signals import BeatSignals
from z4j_django.agent.config import Config
from z4j_django.agent.journal import Journal
from z4j_django.agent.process import Process, is_embedded, is_pool_child
from z4j_django.agent.sampling import Sampling
from z4j_django.agent.signal_handlers import SignalHandlers
from z4j_django.agent.task_signals import TaskSignals
from z4j_django.agent.worker_signals import WorkerSignals

logger = logs.logger("z4j_django.agent")
#: Says once in each worker that it records.
bootstrap_logger = logs.logger("z4j.celery.worker_bootstrap")

#: Seconds between two log lines about lost events.
LOG_EVERY: Final = 60.0
#: Seconds that a worker waits at shutdown for its shipper to have stored everything.
DRAIN_WORKER: Final = 10.0
#: What a worker that records says of itself in Celery's own events, with our version.
MARK: Final = "z4j"


class Agent:
    """Takes the events of this process to its journal.

    Args:
        config: What the framework says.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._journal: Journal | None = None
        self._release: str | None = None
        #: Events that could not be written, and how many of them are counted on the disk.
        self.losses = 0
        self._kept_losses = 0
        self._tally: losses.Tally | None = None
        #: Of a kind that a signal's handler may take once more.
        self._lock = threading.RLock()
        tasks = TaskSignals(self, Sampling(config.sampling), config.payload_limit)
        self._progress = progress.Progress(self, tasks.running)
        self._signal_handlers: list[SignalHandlers] = [
            tasks,
            WorkerSignals(self),
            BeatSignals(self, config.skips),
            stacks.Stacks(self, tasks.running, config.stack_signal, config.find_directory),
        ]
        if config.log_level is not None:
            self._signal_handlers.append(task_logs.TaskLogs(self, tasks.running, config.log_level))
        self._process = Process()
        self._wanted: bool | None = None
        self._is_worker = False
        #: The worker of this process, from its start until Celery says that it stops.
        self._hostname = ""
        self._shipping: shipping.Shipping | None = None
        self._logged = -LOG_EVERY
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self._after_fork)

    def install(self) -> None:
        """Listen to Celery's signals from here on."""
        global _installed
        _installed = self
        progress.listen(self._progress)
        for handlers in self._signal_handlers:
            handlers.connect()
        signals.worker_init.connect(self._on_worker_init, weak=False, dispatch_uid="z4j.init")
        # A pool child that was spawned, not forked, starts with a fresh agent.
        signals.worker_process_init.connect(
            self._on_worker_process_init, weak=False, dispatch_uid="z4j.pool"
        )
        signals.worker_ready.connect(self._on_worker_ready, weak=False, dispatch_uid="z4j.ready")
        signals.worker_shutdown.connect(self._on_shutdown, weak=False, dispatch_uid="z4j.stop")
        # Of a pool's children Celery lets none run what is registered at exit.
        signals.worker_process_shutdown.connect(
            self._close_journal, weak=False, dispatch_uid="z4j.close"
        )
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
            find = self.config.find_directory
            self._journal = Journal(find(), self.config.project, find, self._find_release())
        return self._journal

    def _find_release(self) -> str:
        """Which release runs here; a fork's is its parent's."""
        if self._release is None:
            self._release = self.config.find_release()
        return self._release

    def record(self, event: events.Event) -> None:
        """Write ``event`` to the journal.

        Raises:
            OSError: If the disk does not take it.
            JournalError: If the journal's directory can't be used.
        """
        self._notice_fork()
        self.journal.write(events.encode(event))
        if self.losses != self._kept_losses:
            self._keep_losses()
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
        with self._lock:
            self.losses += error.count if isinstance(error, journal.GoneError) else 1
            if isinstance(error, journal.TornError):
                self._kept_losses += 1  # its reader tells of it
            self._keep_losses()
        now = time.monotonic()
        if now - self._logged >= LOG_EVERY:
            self._logged = now
            logger.error(
                "z4j could not record an event (%d lost in this process so far): %s: %s",
                self.losses,
                type(error).__name__,
                error,
            )

    def _keep_losses(self) -> None:
        """Count on the disk what was lost, so that a shipper tells it whatever becomes of us."""
        with self._lock, contextlib.suppress(Exception):  # the next try may do better
            fresh = self.losses - self._kept_losses
            if self._tally is None and fresh:
                self._tally = losses.Tally(self.journal.directory, self.config.project)
            if self._tally is not None:
                self._tally.directory = self.journal.directory
                self._tally.add(fresh)
                self._kept_losses += fresh

    def _ship_from_here(self) -> None:
        """See to shipping from a process that publishes."""
        self._shipping = shipping.of_publisher(self.config)
        if self._shipping is not None:
            self._shipping.start()

    def _on_worker_init(self, sender: Any = None, **kwargs: Any) -> None:
        # The process of an embedded worker ships as a publisher does, then and afterwards: from
        # a thread, and so into the database that it uses itself, which may be a test's.
        self._is_worker = not is_embedded(sender)
        self._mark_worker()

    def _on_worker_process_init(self, **kwargs: Any) -> None:
        if is_pool_child():  # a solo pool says the same of its worker's own process
            self._is_worker = True
            self._mark_worker()

    def _mark_worker(self) -> None:
        if self.wants_events():
            from celery.worker import state  # much code that only a worker needs

            # So that nobody records this worker once more from the events that it sends.
            state.SOFTWARE_INFO[MARK] = __version__

    def _on_worker_ready(self, sender: Any, **kwargs: Any) -> None:
        if not self.wants_events():
            return
        self._hostname = sender.hostname
        try:
            self._shipping = shipping.of_worker(self.config)
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
        self._notice_fork()
        if self._hostname:  # a cold shutdown, of which Celery says nothing
            offline = events.WorkerEvent(events.WORKER_OFFLINE, self._hostname, time.time())
            with contextlib.suppress(Exception):  # nobody is left to be told
                self.record(offline)
        self._stop_shipping(shipping.DRAIN_PUBLISHER)

    def _stop_shipping(self, seconds: float) -> None:
        self._close_journal()
        ships, self._shipping = self._shipping, None
        if ships is not None:
            with contextlib.suppress(Exception):  # what is left waits in the journal
                ships.stop(seconds)

    def _notice_fork(self) -> None:
        """A fork by C code, such as uWSGI's, may run no hook of Python's."""
        if os.getpid() != self._pid:
            forks.after_fork()
            self._after_fork()

    def _close_journal(self, **kwargs: Any) -> None:
        """End the segment, so that the shipper reads it to its end, and deletes it."""
        if self._journal is not None:
            self.losses += self._journal.close()
        self._keep_losses()

    def _after_fork(self) -> None:
        """The parent's threads are not here; its journal and its losses are its own affair."""
        self._pid = os.getpid()
        self._shipping = None
        self._journal = None
        self._hostname = ""
        self.losses = self._kept_losses = 0
        self._tally = None
        self._lock = threading.RLock()


_installed: Agent | None = None


def installed() -> Agent | None:
    """The agent that listens in this process, if there is one."""
    return _installed
