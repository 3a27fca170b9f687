"""What is told of an operation beside its targets: who, when, how long, and of what."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from z4j_django.admin import formatting
from z4j_django.admin.readonly import Fact, facts
from z4j_django.models import Operation


def told(operation: Operation) -> list[Fact]:
    """Who, when, how long."""
    over = operation.finished_at
    took = formatting.duration((over - operation.created_at).total_seconds()) if over else ""
    return facts(
        (_("By"), formatting.plain(operation.actor)),
        (_("By way of"), operation.surface),
        (_("Asked for"), formatting.full_moment(operation.created_at)),
        (_("Last step"), "" if over else formatting.full_moment(operation.updated_at)),
        (_("Over"), formatting.full_moment(over) if over else ""),
        (_("Took"), took),
        (_("Abort"), _("asked for") if operation.abort_requested else ""),
        (_("Selection"), _selection(operation.selection)),
        (_("Selected as of"), _selected_at(operation.selection)),
        (_("Project"), "" if operation.project == "default" else operation.project),
    )


def _selection(selection: Any) -> str:
    """The filter in words, whatever the column holds."""
    if not selection:
        return _("chosen by id") if selection is not None else ""
    if not isinstance(selection, dict):
        return formatting.pretty_json(selection)
    hidden = ("project", "until", "asked_at")
    parts = [f"{key} {value}" for key, value in selection.items() if key not in hidden]
    if until := selection.get("until"):
        parts.append(_("up to row %(row)s") % {"row": until})
    return ", ".join(parts)


def _selected_at(selection: Any) -> str:
    """The moment from which the ages in the filter were counted back."""
    asked_at = selection.get("asked_at") if isinstance(selection, dict) else None
    return formatting.iso_moment(str(asked_at)) if asked_at else ""


def parameters(operation: Operation) -> str:
    """With what, as JSON; empty for nothing."""
    return formatting.pretty_json(operation.parameters) if operation.parameters else ""
