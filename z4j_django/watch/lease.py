"""A right that one process of all hosts has, kept in the database and by its clock.

Two hosts' clocks may be an hour apart. So none of them is asked: what counts is what the database
says it is, and whoever takes the lease changes the very row that it has read.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connections, router

from z4j_django.models import Lease
from z4j_django.models.primary import primary, update
from z4j_django.values import identifier

#: What the database says it is, in seconds since the epoch; SQLite is in this very host.
_CLOCKS: Final = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
}


def now() -> datetime:
    """The moment, by the clock of the database that holds the records."""
    connection = connections[router.db_for_write(Lease)]
    at = time.time()
    if connection.vendor in _CLOCKS:
        with connection.cursor() as cursor:
            cursor.execute(_CLOCKS[connection.vendor])
            at = float(cursor.fetchone()[0])
    return datetime.fromtimestamp(at, UTC if settings.USE_TZ else None)


def compare() -> tuple[datetime, float]:
    """The moment, likewise, and by how many seconds this host's clock is ahead, at the least."""
    before = time.time()
    at = now()
    after, seconds = time.time(), at.timestamp()
    # The answer is from some moment between the two; it may have been long in coming.
    return at, max(before - seconds, 0.0) + min(after - seconds, 0.0)


class DatabaseLease:
    """One process's part in it.

    Args:
        project: Whose.
        name: What it is the right to do.
        seconds: For how long it is taken; whoever has it takes it again before.
    """

    def __init__(self, project: str, name: str, seconds: float) -> None:
        self.project = project
        self.name = name
        self.length = timedelta(seconds=seconds)
        # Containers may share their host's name and number; so each has a mark of its own.
        place = f"{os.getpid()}@{socket.gethostname()}"
        self.holder = identifier(f"{place} {secrets.token_hex(2)}")
        #: Seconds for which somebody else has it, as it was read last, unless they take it again.
        self.taken_for = 0.0
        #: As :func:`compare` tells it.
        self.host_ahead = 0.0

    def take(self) -> datetime | None:
        """Take it, or keep it, if nobody else has it.

        Returns:
            What the database's clock says; ``None`` where somebody else has it.
        """
        at, self.host_ahead = compare()
        found = self.read()
        if found is None:
            new = Lease(project=self.project, name=self.name, until=at)
            primary(Lease).bulk_create([new], ignore_conflicts=True)
            found = self.read()
        if found is None:
            return None
        left = found.until - at
        self.taken_for = max(left.total_seconds(), 0.0)
        # One that lasts much longer than any is taken for is from before the clock was set back; a
        # little longer, from one who asked the clock later and was quicker.
        if found.holder != self.holder and timedelta() < left <= 2 * self.length:
            return None
        as_read = primary(Lease).filter(pk=found.pk, holder=found.holder, until=found.until)
        return at if update(as_read, holder=self.holder, until=at + self.length) else None

    def tell_done(self, at: datetime) -> None:
        """Say that it was made use of, unless somebody else has it by now."""
        mine = primary(Lease).filter(project=self.project, name=self.name, holder=self.holder)
        update(mine, done_at=at)

    def give_back(self) -> None:
        """Let whoever comes next have it at once."""
        mine = primary(Lease).filter(project=self.project, name=self.name, holder=self.holder)
        update(mine, until=now())

    def read(self) -> Lease | None:
        """Who has it."""
        return primary(Lease).filter(project=self.project, name=self.name).first()
