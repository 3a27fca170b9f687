"""A journal that nobody ships."""

from __future__ import annotations

from collections.abc import Iterator

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.queries.health import span
from z4j_django.values import counted


def find(scene: Scene, limits: Thresholds) -> Iterator[Finding]:
    """The journals that are left with something to store, or that nobody ships at all."""
    journals = scene.journals
    if not journals:
        words = "Nobody ships: no shipper has ever reported."
        yield Finding("", scene.now, words, {"ever": 0})
    elif all(journal.state == "stopped" for journal in journals):
        since = max(journal.seen_at for journal in journals)
        last = min(journal.silence for journal in journals)
        words = f"Nobody ships: no shipper has reported for {span(last)}."
        yield Finding("", since, words, {"seconds": last.total_seconds()})
    for journal in journals:
        if journal.state == "silent":
            left = counted(journal.pending, "byte", "bytes")
            words = (
                f"The journal of {journal.host} ({journal.directory}) is silent: no shipper has "
                f"reported for {span(journal.silence)}, with {left} to store."
            )
            numbers = {"seconds": journal.silence.total_seconds(), "bytes": journal.pending}
            yield Finding(journal.place, journal.seen_at, words, numbers)


CONDITION = Condition(
    key="journal_stopped",
    title="Journal not shipped",
    about="No shipper has reported for a minute: of no journal, or of one that held something.",
    severity="critical",
    subject="journal",
    remedy="Start a worker on that host, or `manage.py z4j_ship`. Where the host is gone for good, "
    "`manage.py z4j_dismiss_journal`.",
    find=find,
)
