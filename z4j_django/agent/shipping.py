"""Who ships for a process that records: a shipper process that it keeps running, or a thread."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from z4j_django import logs
from z4j_django.agent import journal, shipper, shipper_process
from z4j_django.agent.config import Config

logger = logs.logger("z4j_django.agent")

#: Seconds between two looks whether the journal still has its shipper.
WATCH_EVERY: Final = 0.5
#: Seconds that any other process than a worker spends at exit on what it wrote itself.
DRAIN_PUBLISHER: Final = 2.0
#: Seconds after which a publisher counts as long-lived, and looks whether anyone ships.
LONG_LIVED: Final = 1.0
#: Seconds that a shipper process has to live for its end to be no failure.
STEADY: Final = 10.0
#: Seconds until a shipper process that failed to start is tried again, at most.
LONGEST_WAIT: Final = 60.0
#: How often it may fail before a thread ships.
FAILURES: Final = 4


class Shipping:
    """Something that keeps a journal shipped while this process lives."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="z4j-shipping", daemon=True)

    @property
    def directory(self) -> Path:
        """The journal. It may be another one by now: someone else may have taken the first."""
        return self.config.find_directory()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Store what is there, and end; takes no longer than ``seconds``."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        raise NotImplementedError


class ShipperProcess(Shipping):
    """Keeps a shipper process running: a worker's part.

    Whichever worker of the journal is first starts it, and any of them starts the next. One that
    fails again and again is tried ever more seldom, and a thread ships.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._instead: ShippingThread | None = None
        #: What the child said last, up to the end of a line.
        self._unfinished = b""

    def stop(self, seconds: float) -> None:
        """Have our shipper store what is there; takes no longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        super().stop(seconds)
        if self._instead is None and journal.segments(self.directory):
            self._look()  # ours may have been told to stop before we were
        if self._child is not None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(max(deadline - time.monotonic(), 0.1))
            self._relay(self._child)
        if self._instead is not None:  # last: one that fails to start has the lease now and then
            self._instead.stop(max(deadline - time.monotonic(), 0.1))

    def _run(self) -> None:
        self._look()
        while not self._stop.wait(WATCH_EVERY):
            self._look()

    def _look(self) -> None:
        """See whether someone ships; if not, start the one who does."""
        try:
            if self._child is not None:
                self._relay(self._child)
                if self._child.poll() is not None:
                    child, self._child = self._child, None
                    self._relay(child)
                    self._ended(child.returncode)
            if self._child is None and self._may_start():
                self._started = time.monotonic()
                self._child = self._spawn()
        except Exception as error:  # tried again at a later look
            logger.warning("z4j could not start a shipper: %s: %s", type(error).__name__, error)
            self._failed()

    def _may_start(self) -> bool:
        """Whether nobody ships in a process, and it is time to try after failures."""
        wait = min(2.0 ** (self._failures - 3), LONGEST_WAIT) if self._failures > 1 else 0.0
        is_time = time.monotonic() - self._started >= wait
        return is_time and shipper.process_lease(self.directory).is_free()

    def _ended(self, status: int) -> None:
        """Take note of an end: that of one who found another at work, or was told to, is none."""
        if time.monotonic() - self._started >= STEADY:
            self._failures = 0
        if status != 0:
            logger.warning("z4j's shipper process ended with status %d.", status)
            self._failed()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            logger.error(
                "z4j's shipper process ended right after its start, %d times: a thread of this "
                "worker ships, until a later try succeeds.",
                self._failures,
            )
            if self._instead is None:
                self._instead = ShippingThread(self.config, first_look=0.0)
                self._instead.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        given = self.config.hand_over()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        # It inherits this: told to stop while it starts, it hears of it once it listens.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            child = subprocess.Popen(  # noqa: S603  # our own module, our own arguments
                shipper_process.command(
                    self.directory, self.config.sink, os.getpid(), self.config.max_bytes
                ),
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if given else None,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._unfinished = b""
        if child.stdout is not None:
            os.set_blocking(child.stdout.fileno(), False)
        with contextlib.suppress(BrokenPipeError), cast(IO[bytes], child.stdin) as pipe:
            # By its end of line the child knows the end: a pool child that was forked in between
            # has the pipe open, too.
            pipe.write(given + b"\n")
        return child

    def _relay(self, child: subprocess.Popen[bytes]) -> None:
        """Log what a shipper without the project's logging has to say."""
        if child.stdout is None:
            return
        *lines, self._unfinished = (self._unfinished + _read(child.stdout.fileno())).split(b"\n")
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):  # not of our logging
                name, level, message = msgspec.json.decode(line, type=tuple[str, int, str])
                logs.logger(name).log(level, "%s", message)


class ShippingThread(Shipping):
    """Ships from a thread where no shipper process does: a publisher's part.

    Args:
        config: What the framework says.
        first_look: Seconds to wait first; a script is gone by then.
    """

    def __init__(self, config: Config, first_look: float) -> None:
        super().__init__(config)
        self.first_look = first_look

    def _run(self) -> None:
        wait = self.first_look
        while not self._stop.wait(wait):
            wait = LONG_LIVED
            self._ship_while_alone(self.directory)
        self._ship_while_alone(self.directory)

    def _ship_while_alone(self, directory: Path) -> None:
        """Ship until told to stop, or until a shipper process wants to."""
        process, mine = shipper.process_lease(directory), shipper.lease(directory)
        try:
            if not process.is_free() or not mine.acquire():
                return
            sink = shipper_process.load_sink(self.config.sink)
            ship = shipper.Shipper(directory, sink, self.config.max_bytes)
            try:
                ship.run(self._stop, until=lambda: mine.is_deleted or not process.is_free())
                if self._stop.is_set():
                    ship.drain(DRAIN_PUBLISHER)
            finally:
                ship.close()
        except Exception as error:  # tried again at the next look
            logger.warning("z4j could not ship: %s: %s", type(error).__name__, error)
        finally:
            mine.release()


def of_worker(config: Config) -> Shipping | None:
    """What ships from a worker, if that is ours to do."""
    if config.shipping == "process":
        return ShipperProcess(config)
    return ShippingThread(config, first_look=0.0) if config.shipping == "thread" else None


def of_publisher(config: Config) -> Shipping | None:
    """What ships from any other process, where no worker does."""
    if config.shipping == "external":
        return None
    return ShippingThread(config, first_look=LONG_LIVED)


def _read(fd: int) -> bytes:
    """What a pipe holds now. Of ``os.read``, eventlet makes one that waits."""
    pipe = io.FileIO(fd, closefd=False)
    return b"".join(iter(lambda: pipe.read(65536) or b"", b""))
