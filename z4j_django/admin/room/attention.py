"""What needs someone: each condition with its evidence, since when, and the one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import verbs
from z4j_django.admin import formatting, links, navigation
from z4j_django.admin.alerts import silence_pages
from z4j_django.admin.navigation import APP
from z4j_django.admin.room.reading import Reading
from z4j_django.alerts import told
from z4j_django.conditions import registry
from z4j_django.models import ConditionRecord

#: Conditions that are shown unfolded.
_FOLDED: Final = 6
#: How long ago the last round may be.
_STALE: Final = timedelta(seconds=60)

#: What is done about the tasks of a condition, all of them at once, after a look at which they are.
_VERBS: Final = {
    "slots_held": (verbs.TERMINATE, gettext_lazy("Terminate these…")),
    "task_running_long": (verbs.TERMINATE, gettext_lazy("Terminate these…")),
    "possibly_lost": (verbs.RETRY, gettext_lazy("Retry these…")),
    "failing": (verbs.RETRY, gettext_lazy("Retry these…")),
    "expired_in_bulk": (verbs.RETRY, gettext_lazy("Retry these…")),
    "new_error": (verbs.RETRY, gettext_lazy("Retry these…")),
    "regressed_error": (verbs.RETRY, gettext_lazy("Retry these…")),
}
#: Of what kind of subject which list tells more, where no tasks do: the model, and the page.
_LISTS: Final = {
    "worker": ("workerrecord", "changelist"),
    "journal": ("journalrecord", "changelist"),
    "project": ("workerrecord", "changelist"),
    "queue": ("operation", "queues"),
    "schedule": ("taskrecord", "schedules"),
    "error": ("errorgroup", "changelist"),
}


@dataclass(frozen=True)
class Row:
    """A condition that holds."""

    key: str
    severity: str
    title: str
    subject: str
    evidence: str
    remedy: SafeString
    since: SafeString
    look: str | None
    act: str | None
    act_label: Any
    silence: str | None
    silenced: str


def shown(reading: Reading, request: HttpRequest, limit: int) -> dict[str, Any]:
    """The context of the block, with so many conditions at most."""
    found = reading.attention
    watched = navigation.address(request, f"{APP}_conditionrecord_watched")
    checked = found.checked_at
    rows = [_row(one, request, reading) for one in found.open[:limit]]
    is_stale = checked is None or reading.now - checked > _STALE
    return {
        "rows": rows[:_FOLDED],
        "rest": rows[_FOLDED:],
        "count": formatting.count(len(found.open)),
        "more": found.more,
        "left": formatting.count(len(found.open) - limit) if len(found.open) > limit else "",
        "watched": len(registry.current()),
        "watched_url": watched,
        "quiet_since": formatting.moment(found.quiet_since) if found.quiet_since else "",
        "is_stale": is_stale,
        "checked": formatting.moment(checked) if checked else "",
        "all_url": navigation.address(request, f"{APP}_conditionrecord_changelist"),
    }


def _row(record: ConditionRecord, request: HttpRequest, reading: Reading) -> Row:
    verb, label = _VERBS.get(record.key, (None, ""))
    act = None
    if verb is not None and record.tasks:
        act = links.bulk_url(request, verb.name, {"q": record.tasks})
    elif record.key == "chord_stuck":
        act = links.retry_group_url(request, record.subject, "body")
        label = gettext_lazy("Run its body…")
    silence = told.silence_of(record, reading.silences)
    return Row(
        key=record.key,
        severity=record.severity,
        title=_(record.title),
        subject=record.subject,
        evidence=record.evidence,
        remedy=formatting.prose(_by_titles(_(record.remedy))),
        since=formatting.elapsed(record.since),
        look=_look(record, request),
        act=act,
        act_label=label,
        silence=None
        if silence is not None
        else silence_pages.url_for(request, record.key, record.subject),
        silenced=formatting.moment(silence.until) if silence is not None else "",
    )


def _by_titles(remedy: str) -> str:
    """A remedy that calls the other conditions as the page does, and not by their keys."""
    if "`" in remedy:
        for key, one in registry.CONDITIONS.items():
            remedy = remedy.replace(
                f"`{key}`",
                f"\N{LEFT DOUBLE QUOTATION MARK}{_(one.title)}\N{RIGHT DOUBLE QUOTATION MARK}",
            )
    return remedy


def _look(record: ConditionRecord, request: HttpRequest) -> str | None:
    """Where to see what it is about."""
    url = None
    if record.subject_kind == "error" and record.subject:
        url = links.record_url(request, "errorgroup", record.subject)
    if url is None and record.tasks:
        url = links.tasks_url(request, record.tasks)
    if url is None and record.subject_kind in _LISTS:
        url = links.page_url(request, *_LISTS[record.subject_kind])
    return url
