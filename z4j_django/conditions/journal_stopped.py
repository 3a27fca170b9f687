"""A journal that nobody ships."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import health
from z4j_django.queries.health import span
from z4j_django.values import counted


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float,
        Meta(ge=30, le=86_400),
        option("Seconds without a report; a shipper sends one every 10 s."),
    ] = health.SILENT_AFTER.total_seconds()


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The journals that are left with something to store, or that nobody ships at all."""
    journals = scene.journals
    if not journals:
        words = "Nobody ships: no shipper has ever reported."
        yield Finding("", scene.now, words, {"ever": 0})
    silent = [one for one in journals if one.silence > timedelta(seconds=limits.after)]
    left = [one for one in silent if one.pending]
    if journals and len(silent) == len(journals) and not left:
        since = max(journal.seen_at for journal in journals)
        last = min(journal.silence for journal in journals)
        words = f"Nobody ships: no shipper has reported for {span(last)}."
        yield Finding("", since, words, {"seconds": last.total_seconds()})
    for journal in left:
        words = (
            f"The journal of {journal.host} ({journal.directory}) is silent: no shipper has "
            f"reported for {span(journal.silence)}, with "
            f"{counted(journal.pending, 'byte')} to store."
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
    thresholds=Limits,
)
