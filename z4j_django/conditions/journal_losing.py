"""Events that are on record nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from django.db.models import Max, Min, Sum
from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.models import JournalLoss
from z4j_django.options import option
from z4j_django.queries import health
from z4j_django.values import counted


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    within: Annotated[
        float, Meta(ge=60, le=2_592_000), option("Seconds for which a loss counts.")
    ] = health.RECENT.total_seconds()


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """What was lost lately, by reason."""
    since = scene.now - timedelta(seconds=limits.within)
    lost = JournalLoss.objects.filter(project=scene.project, at__gt=since)
    rows = lost.values_list("reason").annotate(count=Sum("count"), first=Min("at"), last=Max("at"))
    for reason, count, first, last in rows.order_by("reason"):
        ago = health.span(max(scene.now - last, timedelta()))
        events = counted(count, "event was", "events were")
        words = f"{events} lost ({reason}), the last {ago} ago."
        yield Finding(reason, first, words, {"count": count})


CONDITION = Condition(
    key="journal_losing",
    title="Events lost",
    about="Events were lost within the last day: they could not be written, read or stored, or "
    "the journal was full.",
    severity="critical",
    subject="journal",
    remedy="docs/how-to/when-records-are-missing.md says what each reason means.",
    find=find,
    thresholds=Limits,
)
