"""Evaluates the conditions of a project every few seconds, in whichever process has the lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from z4j_django.alerts.watcher import Watcher
from z4j_django.conditions import registry
from z4j_django.models import Lease
from z4j_django.watch import lease, pausing, rounds, sampling
from z4j_django.watch.lease import DatabaseLease

#: Seconds between two rounds.
EVERY: Final = 15.0
#: Seconds between two looks after the paused queues: as long somebody may take from one who came
#: up without a word to the records.
KEEP_EVERY: Final = 5.0
#: Seconds for which the lease is taken: as long nobody looks where its holder was killed.
LEASE: Final = 45.0


class Watch:
    """A process's part in it: a little at a time, for a shipper that has more to do.

    Args:
        project: Which.
        clock: Seconds, monotonic.
    """

    def __init__(self, project: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.project = project
        self.lease = DatabaseLease(project, Lease.WATCH, LEASE)
        self._clock = clock
        self._next = clock()
        self._has_lease = False
        self._round: Iterator[None] | None = None
        self._sampler = sampling.Sampler(project, clock)
        self._keeper = pausing.Keeper(project)
        self._keep_next = clock() + KEEP_EVERY
        self._alerts = Watcher(project, lease.now, self.lease.holder)
        #: Failures that were logged.
        self._told: set[str] = set()

    def step(self) -> None:
        """Evaluate one condition, if it is time for a round and nobody else makes it."""
        self._sampler.collect()
        self._keep()
        if self._round is None:
            if self._clock() < self._next:
                return
            self._next = self._clock() + EVERY
            at = self.lease.take()
            self._has_lease = at is not None
            if at is None:
                # Whoever has it may be gone: then it is free before another round is due.
                self._next = min(self._next, self._clock() + self.lease.taken_for)
                return
            self._round = self.round(at)
        run, self._round = self._round, None  # what fails is begun anew at the next round
        for _ in run:
            self._round = run
            break

    def _keep(self) -> None:
        """Look after the paused queues, between two rounds."""
        if self._has_lease and self._clock() >= self._keep_next:
            self._keep_next = self._clock() + KEEP_EVERY
            self._keeper.begin()

    def end(self) -> None:
        """Let another process look after the project from now on."""
        self._round = None
        try:
            self._alerts.end()  # first: whoever has the lease next sends at once
        finally:
            if self._has_lease:
                self.lease.give_back()

    def run_once(self, seconds: float) -> None:
        """Sample the queues and make a round, at once, if nobody else has the lease.

        Args:
            seconds: How long the broker may take to tell.
        """
        if (at := self.lease.take()) is None:
            return
        try:
            self._sampler.begin(at, seconds)
            self._sampler.collect(wait=True)
            for _ in self.round(at):
                pass
        finally:
            self.lease.give_back()  # a shipper may have come up

    def finish(self, seconds: float) -> None:
        """Wait until what a round has begun to send is sent, or so long: for who ends with it."""
        self._alerts.finish(seconds)

    def round(self, at: datetime) -> Iterator[None]:
        """A whole round, at a moment by the database's clock."""
        self._sampler.begin(at)
        self._keep_next = self._clock() + KEEP_EVERY
        self._keeper.begin()
        limits, ahead = registry.current(), self.lease.host_ahead
        found = yield from rounds.evaluate(self.project, at, limits, self._told, ahead)
        self.lease.tell_done(at)
        self._alerts.follow(at, found)
