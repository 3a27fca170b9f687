"""What the templates of our pages have in common."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

register = template.Library()


@register.inclusion_tag("admin/z4j_django/assets.html")
def z4j_assets(*more: str) -> dict[str, Any]:
    """The stylesheet and the scripts; ``"chart"`` and ``"graph"`` bring what these want."""
    # Not above: Django loads this library in projects without the admin, too.
    from z4j_django.admin.formatting import moments

    words = {
        **moments.words(),
        "pause": _("Pause"),
        "go": _("Go on"),
        "noJson": _("This is no JSON: %t"),
        "noList": _("This has to be a list: [ … ]"),
        "noObject": _("This has to be an object: { … }"),
        "masked": _("A masked value can't be sent as it stands: type the real one."),
    }
    now = timezone.now().isoformat()
    return {"words": json.dumps(words, ensure_ascii=False), "now": now, "more": more}


@register.inclusion_tag("admin/z4j_django/navigation.html", takes_context=True)
def z4j_navigation(context: template.Context, place: str = "") -> dict[str, Any]:
    """The line that leads from one page of ours to another."""
    from z4j_django.admin import navigation

    request = context.get("request")
    if request is None:
        return {}
    return {"links": navigation.links(request, place or str(context.get("place", "")))}


@register.simple_tag(takes_context=True)
def z4j_record_url(context: template.Context, task_id: str | None = None) -> str | None:
    """The page of a task's record, from a page of another app; without an id, the list."""
    from z4j_django.admin import task_results

    request = context.get("request")
    return None if request is None else task_results.record_url(request, task_id)


@register.inclusion_tag("admin/z4j_django/rows.html")
def z4j_results(cl: Any) -> dict[str, Any]:
    """The rows of a list, each cell with its column's label for the width of a phone."""
    from django.contrib.admin.templatetags import admin_list

    whole: dict[str, Any] = admin_list.result_list(cl)
    headers, labels = whole["result_headers"], []
    for name, header in zip(cl.list_display, headers, strict=True):
        header["is_check"] = name == "action_checkbox"
        labels.append("" if header["is_check"] else capfirst(str(header["text"])))
    rows = [
        [_labelled(cell, label) for cell, label in zip(row, labels, strict=False)]
        for row in whole["results"]
    ]
    return {"headers": headers, "rows": rows}


def _labelled(cell: SafeString, label: str) -> SafeString:
    """A cell as Django made it, safe already, and its label."""
    begin = format_html('<td data-label="{}"', label) if label else "<td"
    return SafeString(cell.replace("<td", begin, 1) if cell.startswith("<td") else cell)


@register.inclusion_tag("admin/z4j_django/room/room.html", takes_context=True)
def z4j_room(context: template.Context) -> dict[str, Any]:
    """The first page: what is wrong, how much goes through, and what is being done right now."""
    return _shown(context, brief=False)


@register.inclusion_tag("admin/z4j_django/room/block.html", takes_context=True)
def z4j_block(context: template.Context) -> dict[str, Any]:
    """The same in brief, for the admin's own index."""
    return _shown(context, brief=True)


def _shown(context: template.Context, *, brief: bool) -> dict[str, Any]:
    from z4j_django.admin.room import pages

    request = context.get("request")
    return {} if request is None else pages.shown(request, brief=brief)
