"""Runs of schedules that an operator has beat leave out.

Which these are, a thread asks every few seconds, and tells what was left out. Beat itself asks
nobody and waits for nobody: what is not known in time is sent.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from z4j_django import logs
from z4j_django.values import clean

logger = logs.logger("z4j_django.agent")

#: Seconds between two questions.
EVERY: Final = 10.0


class Skip(msgspec.Struct, frozen=True):
    """A run that is to be left out: the first of its schedule between two moments."""

    key: int
    schedule: str
    #: In seconds since the epoch.
    begin: float
    end: float


#: Takes what was left out, with the moments; returns what is to be left out.
Exchange = Callable[[Mapping[int, float]], Sequence[Skip]]


def load(path: str) -> Exchange | None:
    """What ``module:attribute`` names; ``None`` where it is empty."""
    if not path:
        return None
    module, _, attribute = path.partition(":")
    exchange: Exchange = getattr(importlib.import_module(module), attribute)
    return exchange


class Skips:
    """What is known of them in this process.

    Args:
        exchange: Asks and tells; it may take any time, and raise.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._known: Sequence[Skip] = ()
        self._left_out: dict[int, float] = {}
        self._wake = threading.Event()

    def start(self) -> None:
        """Ask from now on."""
        threading.Thread(target=self._run, name="z4j-skips", daemon=True).start()

    def leaves_out(self, schedule: str) -> bool:
        """Whether the run that is due now is to be left out; it counts as left out then."""
        now = time.time()
        found = [
            one
            for one in self._known
            if one.schedule == schedule and one.begin <= now < one.end
            if one.key not in self._left_out
        ]
        if found:
            self._left_out.update((one.key, now) for one in found)
            self._wake.set()
            logger.info("The run of %s that is due is left out, as an operator asked.", schedule)
        return bool(found)

    def refresh(self) -> None:
        """Tell and ask once. What the other side has not noted is not forgotten here."""
        told = dict(self._left_out)
        self._known = self._exchange(told)
        for key in told.keys() - {one.key for one in self._known}:
            del self._left_out[key]

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception as error:  # the database is away: what was known stands
                logger.debug("Which runs are to be left out is not known: %s", error)
            self._wake.wait(EVERY)
            self._wake.clear()


def name_of(entry: object) -> str:
    """The name of a schedule's entry as it is on record."""
    return clean(str(getattr(entry, "name", "")))
