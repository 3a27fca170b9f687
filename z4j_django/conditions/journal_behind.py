"""A journal whose events wait long for the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import health
from z4j_django.values import duration


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float, Meta(ge=1, le=86_400), option("Seconds that the oldest event has waited.")
    ] = health.BEHIND_AFTER.total_seconds()


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The journals that are shipped, and slowly."""
    for journal in scene.journals:
        lag = journal.lag.total_seconds()
        if journal.silence <= health.SILENT_AFTER and lag > limits.after:
            evidence = (
                f"The journal of {journal.host} ({journal.directory}) is behind: the oldest event "
                f"has waited for {duration(lag)}."
            )
            numbers = {"seconds": lag, "bytes": journal.pending}
            yield Finding(journal.place, journal.seen_at - journal.lag, evidence, numbers)


CONDITION = Condition(
    key="journal_behind",
    title="Journal behind",
    about="The oldest event of a journal has waited for half a minute to be stored: what is shown "
    "of its tasks is as old.",
    severity="warning",
    subject="journal",
    remedy="If it grows, the database is too slow for what comes, or is refused to the shipper: "
    "its log says so.",
    find=find,
    thresholds=Limits,
)
