"""The next batch, read and made ready while the database stores this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from z4j_django import logs
from z4j_django.agent.batching import Slice

logger = logs.logger("z4j_django.shipper")


class ReadAhead:
    """Reads one batch in a thread of its own, which is over when :meth:`wait` returns.

    Args:
        read: Reads on in the segments.
        prepare: The sink's.
    """

    def __init__(
        self, read: Callable[[], list[Slice]], prepare: Callable[[Sequence[Slice]], Any]
    ) -> None:
        self.batch: list[Slice] = []
        self.prepared: Any = None
        #: Whether nothing was read, or half of it: where the segments stand means nothing then.
        self.failed = True
        self._read = read
        self._prepare = prepare
        self._thread = threading.Thread(target=self._run, name="z4j-ahead", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the batch is there."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self.batch = self._read()
            self.failed = False
            self.prepared = self._prepare(self.batch)
        except Exception as error:  # whoever stores the batch meets it again, and knows what to do
            logger.debug("A batch was not made ready ahead: %s", error)
