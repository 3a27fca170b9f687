"""The health of capture on the admin's pages, so that silence is never taken for health."""

from __future__ import annotations

from typing import Any

from django import template
from django.db import DatabaseError, router, transaction
from django.urls import NoReverseMatch, reverse

from z4j_django.conditions import capture
from z4j_django.models import JournalRecord
from z4j_django.queries import health

register = template.Library()

#: Journals shown in the block; the list has the others.
SHOWN = 10


@register.inclusion_tag("admin/z4j_django/troubles.html", takes_context=True)
def z4j_troubles(context: template.Context) -> dict[str, Any]:
    """Why records may be missing, as the admin shows its messages; nothing where all is well."""
    return {"troubles": capture.words(workers=False), "url": _url(context)}


@register.inclusion_tag("admin/z4j_django/health.html", takes_context=True)
def z4j_health(context: template.Context) -> dict[str, Any]:
    """The journals with their lag, the losses and the workers; nothing without the permission."""
    # Not above: Django loads this library in projects without the admin, too.
    from z4j_django.admin import formatting, journals

    if not _may_view(context):
        return {}
    found, troubles = _read()
    if found is None:
        return {"shown": True, "troubles": troubles}
    return {
        "shown": True,
        "troubles": troubles,
        "journals": [
            {
                "badge": journals.badge(journal.state),
                "place": formatting.plain(f"{journal.host}:{journal.directory}"),
                "lag": formatting.duration(journal.lag.total_seconds()),
                "pending": journal.pending,
                "seen": formatting.moment(journal.seen_at),
            }
            for journal in found.journals[:SHOWN]
        ],
        "losses": found.losses,
        "workers": found.workers,
        "url": _url(context),
    }


def _read() -> tuple[health.Health | None, list[str]]:
    """The health and its troubles, or why there is none: the first page needs no table of ours."""
    try:
        with transaction.atomic(using=router.db_for_read(JournalRecord)):
            return health.health(), capture.words()
    except DatabaseError as error:
        return None, [f"The records of the tasks can't be read: {type(error).__name__}."]


def _may_view(context: template.Context) -> bool:
    request = context.get("request")
    user = getattr(request, "user", None)
    return user is not None and user.has_perm("z4j_django.view_journalrecord")


def _url(context: template.Context) -> str:
    """The list of journals, for those who may see it."""
    if not _may_view(context):
        return ""
    try:
        name = "admin:z4j_django_journalrecord_changelist"
        return reverse(name, current_app=getattr(context["request"], "current_app", None))
    except NoReverseMatch:
        return ""
