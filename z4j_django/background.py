"""What a process does beside its work: each in a thread of its own, and holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connections

from z4j_django.secrets.masking import mask_text


class Background:
    """Something that is done now and then, once at a time.

    What goes wrong is logged, and not each time. A forked child may begin it anew.

    Args:
        name: What its threads are called.
        logger: Who logs.
        failure: What the log says of what goes wrong, such as ``The alerts could not be sent``.
    """

    def __init__(self, name: str, logger: logging.Logger, failure: str) -> None:
        self._name = name
        self._logger = logger
        self._failure = failure
        self._thread: threading.Thread | None = None
        #: The last failure that was logged.
        self._told = ""

    @property
    def is_busy(self) -> bool:
        """Whether it is done at this moment."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, call: Callable[[], object]) -> None:
        """Do it, if that is not done already."""
        if self.is_busy:
            return
        self._thread = threading.Thread(target=self._run, args=[call], name=self._name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until it is done, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, call: Callable[[], object]) -> None:
        try:
            call()
            self._told = ""
        except Exception as error:  # whatever a database or a transport raises
            reason = mask_text(f"{type(error).__name__}: {error}")
            if reason != self._told:
                self._told = reason
                self._logger.warning("%s: %s", self._failure, reason)
        finally:
            connections.close_all()  # this thread's own
