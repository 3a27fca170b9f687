"""A round for whoever asks, where nobody makes any: no worker lives, and no shipper ships."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Final

from django.db import connections, router

from z4j_django import logs
from z4j_django.models import Lease
from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within
from z4j_django.watch import lease
from z4j_django.watch.watching import Watch

logger = logs.logger("z4j_django.watch")

#: How long ago the last round may be.
STALE: Final = timedelta(seconds=60)
#: Seconds that whoever asks waits for a round.
TIMEOUT: Final = 5.0
#: Seconds of them in which the broker has to tell.
_BROKER: Final = 3.0


def refresh(project: str, seconds: float = TIMEOUT) -> Watch | None:
    """See that the project was looked at within the last minute; if not, look at it.

    It is done in a thread, so that it is no part of a request's transaction, and takes no longer.
    What goes wrong is logged: what is stored then is old, and says so.

    Returns:
        What has looked, where it was needed: a process that ends lets it finish.
    """
    found = lease.DatabaseLease(project, Lease.WATCH, seconds).read()
    if found is not None and found.done_at and abs(lease.now() - found.done_at) < STALE:
        return None
    watch = Watch(project)
    try:
        within(seconds, lambda: _round(watch))
    except Exception as error:  # whatever a database raises
        reason = mask_text(f"{type(error).__name__}: {error}")
        logger.warning("The conditions could not be evaluated: %s", reason)
    return watch


#: Who looks, and in which process: a thread does not live on in what is forked from it.
_looking: tuple[int, threading.Thread] | None = None


def refresh_soon(project: str) -> None:
    """The same, and nobody waits for it: whoever asks next is told. One at a time in a process."""
    global _looking
    if _looking is not None and _looking[0] == os.getpid() and _looking[1].is_alive():
        return
    thread = threading.Thread(target=_refresh, args=[project], name="z4j-watch", daemon=True)
    _looking = os.getpid(), thread
    thread.start()


def _refresh(project: str) -> None:
    try:
        refresh(project)
    finally:
        connections[router.db_for_write(Lease)].close()


def _round(watch: Watch) -> None:
    try:
        watch.run_once(_BROKER)
    finally:
        connections[router.db_for_write(Lease)].close()  # this thread's own
