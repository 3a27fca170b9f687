"""Heartbeats: when who watches the watcher was last called, and what he said."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django.admin import formatting
from z4j_django.admin.alerts.tabs import TabbedAdmin
from z4j_django.admin.readonly import facts
from z4j_django.models import AlertHeartbeat


@admin.register(AlertHeartbeat)
class HeartbeatAdmin(TabbedAdmin):
    """Every address that is called while all goes well; the address itself may be secret."""

    list_display = ("shown_of", "shown_outcome", "called", "shown_answer")
    list_display_links = None
    detail_template = "admin/z4j_django/alerts/heartbeat.html"

    @admin.display(description=gettext_lazy("of"))
    def shown_of(self, row: AlertHeartbeat) -> str:
        """What it tells of."""
        return self.link(self.url(row), _of(row))

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, row: AlertHeartbeat) -> str:
        """Whether it was heard."""
        return _outcome(row)

    @admin.display(description=gettext_lazy("last called"))
    def called(self, row: AlertHeartbeat) -> str:
        """When."""
        return formatting.moment(row.called_at)

    @admin.display(description=gettext_lazy("answer"))
    def shown_answer(self, row: AlertHeartbeat) -> str:
        """What was said, or why it was not called."""
        return formatting.text(row.answer)

    def detail(self, request: HttpRequest, record: AlertHeartbeat) -> dict[str, Any]:
        """The context of its page."""
        called = formatting.full_moment(record.called_at) if record.called_at else ""
        return {
            "title": str(record),
            "badge": _outcome(record),
            "facts": facts(
                (_("Of"), _of(record)),
                (_("Last called"), called),
                (_("Answer"), formatting.plain(record.answer) if record.answer else ""),
                (_("Project"), "" if record.project == "default" else record.project),
            ),
        }


def _of(row: AlertHeartbeat) -> SafeString:
    if not row.schedule:
        return formatting.plain(_("the project"))
    return formatting.joined(formatting.plain(_("schedule")), formatting.text(row.schedule))


def _outcome(row: AlertHeartbeat) -> SafeString:
    if row.is_ok is None:
        return formatting.pill(_("not called"), colour="pending")
    if row.is_ok:
        return formatting.pill(_("heard"), colour="success")
    return formatting.pill(_("not heard"), colour="failure")
