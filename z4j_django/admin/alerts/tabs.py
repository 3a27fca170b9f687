"""The line that leads from one page of alerts to another."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.models import (
    AlertAct,
    AlertChannel,
    AlertDelivery,
    AlertHeartbeat,
    AlertRule,
    AlertSilence,
)

_TABS: Final[tuple[tuple[type[Model], Any], ...]] = (
    (AlertRule, _("Rules")),
    (AlertChannel, _("Channels")),
    (AlertSilence, _("Silences")),
    (AlertDelivery, _("Deliveries")),
    (AlertAct, _("Acts of rules")),
    (AlertHeartbeat, _("Heartbeats")),
)


def tabs(admin: ReadOnlyAdmin, request: HttpRequest) -> list[dict[str, Any]]:
    """Those lists that a user may see."""
    return [
        {"label": label, "url": admin.list_url(model), "chosen": model is admin.model}
        for model, label in _TABS
        if admin.may_view(request, model)
    ]


class TabbedAdmin(ReadOnlyAdmin):
    """One of them that is paged by key."""

    change_list_template = "admin/z4j_django/alerts/list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, below the tabs."""
        more = {"tabs": tabs(self, request), **self.beside(request), **(extra_context or {})}
        return super().changelist_view(request, more)

    def beside(self, request: HttpRequest) -> dict[str, Any]:
        """What else stands above the list."""
        return {}
