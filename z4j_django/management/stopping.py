"""Commands that run until someone stops them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; the handlers before it come back at the end."""
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(signum, lambda *_: stop.set()) for signum in signals]
    try:
        yield stop
    finally:
        for signum, handler in zip(signals, before, strict=True):
            signal.signal(signum, handler)
