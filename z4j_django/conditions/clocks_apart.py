"""Hosts whose clocks are not that of the database.

Told is the host that looks, by what it knows itself, and others whose reports come from a time that
is yet to come. A host that is behind looks like one that says nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.options import option
from z4j_django.values import duration


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float, Meta(ge=1, le=86_400), option("Seconds by which a clock may be ahead or behind.")
    ] = 30.0


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """One finding a host."""
    here = socket.gethostname()
    ahead = {here: scene.host_ahead}
    for journal in scene.journals:
        if journal.host != here:
            by = (journal.seen_at - scene.now).total_seconds()
            ahead[journal.host] = max(ahead.get(journal.host, 0.0), by)
    for host, by in sorted(ahead.items()):
        if abs(by) > limits.after:
            way = "ahead of" if by > 0 else "behind"
            evidence = (
                f"The clock of {short(host)} is {duration(abs(by))} {way} that of the database. "
                "What its workers and journal say seems to be from another time."
            )
            yield Finding(host, scene.now, evidence, {"seconds": by})


CONDITION: Final = Condition(
    key="clocks_apart",
    title="Clocks apart",
    about="The clock of a host is half a minute ahead of that of the database, or behind it.",
    severity="warning",
    subject="host",
    remedy="Have both keep to the network's time (NTP). Until then a worker or a journal of that "
    "host may seem silent, or hide that it is.",
    find=find,
    thresholds=Limits,
)
