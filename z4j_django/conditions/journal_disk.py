"""A journal that fills its disk, or its share of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Severity, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import health
from z4j_django.values import size


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    share: Annotated[
        float, Meta(ge=0.01, le=1), option("Share of `JOURNAL_MAX_BYTES` that it takes.")
    ] = 0.5
    free: Annotated[int, Meta(ge=0, le=10**12), option("Bytes that are left on its disk.")] = (
        256 * 1024**2
    )


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The journals that soon can't be written, or whose oldest events soon go."""
    for journal in scene.journals:
        if journal.silence > health.SILENT_AFTER:
            continue
        numbers = {"bytes": journal.size, "limit": journal.limit or 0, "free": journal.free or 0}
        where = f"The journal of {journal.host} ({journal.directory}) takes {size(journal.size)}"
        if journal.free is not None and journal.free < limits.free:
            words = f"{where}, and its disk has {size(journal.free)} left."
            worst: Severity = "critical" if journal.free < limits.free / 4 else "warning"
            yield Finding(journal.place, journal.seen_at, words, numbers, worst)
        elif journal.limit and journal.size >= limits.share * journal.limit:
            words = f"{where} of the {size(journal.limit)} that it may."
            worst = "critical" if journal.size >= 0.9 * journal.limit else "warning"
            yield Finding(journal.place, journal.seen_at, words, numbers, worst)


CONDITION = Condition(
    key="journal_disk",
    title="Journal fills its disk",
    about="A journal takes half of what it may, or its disk has less than 256 MiB left. What can't "
    "be written is lost; past its limit the oldest events go.",
    severity="warning",
    subject="journal",
    remedy="See why it is not stored (`journal_behind`, `journal_stopped`), and make room.",
    find=find,
    thresholds=Limits,
)
