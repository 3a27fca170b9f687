"""The health of capture on the admin's lists, so that silence is never taken for health."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from z4j_django.conditions import capture

register = template.Library()


@register.inclusion_tag("admin/z4j_django/troubles.html", takes_context=True)
def z4j_troubles(context: template.Context) -> dict[str, Any]:
    """Why records may be missing, as the admin shows its messages; nothing where all is well."""
    return {"troubles": capture.words(workers=False), "url": _url(context)}


def _url(context: template.Context) -> str:
    """The list of journals, for those who may see it."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.has_perm("z4j_django.view_journalrecord"):
        return ""
    try:
        name = "admin:z4j_django_journalrecord_changelist"
        return reverse(name, current_app=getattr(request, "current_app", None))
    except NoReverseMatch:
        return ""
