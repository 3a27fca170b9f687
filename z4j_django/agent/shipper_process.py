"""The shipper as a process of its own: ``python -m z4j_django.agent.shipper_process``.

A worker starts it. As a thread in the worker's main process it would fight the consumer loop
for the interpreter's lock.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from z4j_django import logs
from z4j_django.agent import lean, leases, shipper
from z4j_django.agent.sink import Sink
from z4j_django.exceptions import Z4JError

#: Seconds that it reads on after its worker is gone or it was told to stop.
DRAIN: Final = 60.0
#: Seconds to wait for the lease of shipper processes: another worker's may be starting.
START: Final = 1.0
_STDOUT: Final = 1
#: Seconds that a batch that is made ready ahead may keep the interpreter from the one that is
#: stored: by Python's default of 5 ms, each of its statements would wait for that long.
SWITCH: Final = 0.001


def load_sink(path: str, given: bytes = b"") -> Sink:
    """The sink that ``module:attribute`` makes.

    Args:
        path: Where it is made.
        given: What the parent handed over for it.

    Raises:
        Z4JError: If there is none.
    """
    module, _, attribute = path.partition(":")
    try:
        factory: Callable[..., Sink] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Z4JError(f"There is no sink {path!r}: {error}") from error
    return factory(given) if given else factory()


def command(directory: Path, sink: str, parent: int, max_bytes: int) -> list[str]:
    """The command line of a shipper process. It carries no secret."""
    return [
        sys.executable,
        "-m",
        "z4j_django.agent.shipper_process",
        f"--directory={directory}",
        f"--sink={sink}",
        f"--parent={parent}",
        f"--max-bytes={max_bytes}",
    ]


def ship(
    directory: Path,
    make_sink: Callable[[], Sink],
    *,
    max_bytes: int,
    stop: threading.Event,
    until: Callable[[], bool] = lambda: False,
    timeout: float = START,
    drain: float = DRAIN,
) -> bool:
    """Ship ``directory`` until told to stop; then store what is there.

    Args:
        directory: The journal.
        make_sink: Makes the sink, once the lease is ours.
        max_bytes: Size past which the oldest closed segments are dropped.
        stop: Set to stop.
        until: Asked between two batches; true to stop.
        timeout: Seconds to wait for another shipper process to go.
        drain: Seconds to spend at the end on what is there.

    Returns:
        Whether it shipped at all: there may be another shipper.
    """
    alone, mine = shipper.process_lease(directory), shipper.lease(directory)
    # Threads see the first lease taken, and give back the second.
    if not _acquire(alone, timeout, stop) or not _acquire(mine, DRAIN, stop):
        alone.release()
        return False
    ships = shipper.Shipper(directory, make_sink(), max_bytes)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        ships.run(stop, lambda: until() or alone.is_deleted or mine.is_deleted)
        ships.drain(drain)
        is_deleted = alone.is_deleted or mine.is_deleted
    finally:
        sys.setswitchinterval(switch)
        ships.close()
        mine.release()
        alone.release()
    if is_deleted and not stop.is_set() and not until():
        # The directory that is there now has leases of its own.
        ship(
            directory,
            make_sink,
            max_bytes=max_bytes,
            stop=stop,
            until=until,
            timeout=timeout,
            drain=drain,
        )
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Be a shipper process, until told to stop or until the parent is gone.

    What is handed over for the sink comes by the standard input: no other process sees it there.
    Whoever hands something over logs what is said by the standard output.
    """
    parser = argparse.ArgumentParser(prog="z4j_django.agent.shipper_process")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--max-bytes", type=int, required=True)
    options = parser.parse_args(argv)
    given = sys.stdin.buffer.readline()
    if not given:
        return 0  # the parent is gone
    given = given.strip()
    if given:
        logs.logger("z4j_django").addHandler(_ToParent())
        lean.leave_out()  # the project's own code may want it
    stop = threading.Event()

    def on_signal(signum: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the parent has blocked it

    def parent_is_gone() -> bool:
        return bool(os.getppid() != options.parent)

    ship(
        options.directory,
        lambda: load_sink(options.sink, given),
        max_bytes=options.max_bytes,
        stop=stop,
        until=parent_is_gone,
    )
    return 0


class _ToParent(logging.Handler):
    """Hands the parent what is to be logged, or the terminal where the parent is gone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        os.set_blocking(_STDOUT, False)  # a parent that hangs holds up nobody

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        line = msgspec.json.encode((record.name, record.levelno, message)) + b"\n"
        try:
            os.write(_STDOUT, line)
        except OSError:
            with contextlib.suppress(OSError):
                print(message, file=sys.stderr)


def _acquire(wanted: leases.Lease, seconds: float, stop: threading.Event) -> bool:
    deadline = time.monotonic() + seconds
    while not wanted.acquire():
        if time.monotonic() > deadline or stop.wait(0.05):
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
