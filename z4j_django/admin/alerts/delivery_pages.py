"""The log of what was told, and of what rules did by themselves."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django.admin import formatting
from z4j_django.admin.alerts.tabs import TabbedAdmin
from z4j_django.admin.changelist import KeysetChangeList
from z4j_django.admin.filters import ValueFilter, value_filter
from z4j_django.admin.readonly import ReadOnlyAdmin, facts
from z4j_django.alerts import rules, told, wording
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.models import AlertAct, AlertDelivery, ConditionRecord, Operation
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.pages import Page

#: The state of a task whose colour a delivery's state, and what it says, has.
_COLOURS: Final = {
    "pending": "pending",
    "sending": "started",
    "sent": "success",
    "refused": "failure",
    "perhaps": "rejected",
    "failed": "failure",
    "dropped": "ignored",
    "firing": "failure",
    "resolved": "success",
    "test": "ignored",
}


def badge(word: str) -> SafeString:
    """A delivery's state, or what it says, in its colour."""
    return formatting.coloured(_COLOURS.get(word, "pending"), word)


class _Named(ValueFilter):
    """What only those are asked for by who come from elsewhere; the list itself looks for it."""

    def values(self) -> list[str]:
        """None are on offer."""
        return []


class ConditionFilter(_Named):
    """The condition that is told of."""

    title = gettext_lazy("condition")
    parameter_name = "condition"

    def words(self, value: str) -> str:
        """Its title."""
        return _(CONDITIONS[value].title) if value in CONDITIONS else value


class SubjectFilter(_Named):
    """What it is said of."""

    title = gettext_lazy("subject")
    parameter_name = "subject"


class DeliveryChangeList(KeysetChangeList):
    """Pages of deliveries; of those that tell of something, the ones among the next few."""

    def page(self, cursor: Cursor) -> Page[Any]:
        """The page at a place; what a delivery tells of no column says."""
        specs: list[Any] = self.filter_specs
        chosen = {spec.parameter_name: spec.value() or "" for spec in specs}
        key, subject = chosen.get("condition", ""), chosen.get("subject", "")
        if not key:
            return super().page(cursor)
        return told.page(self._rest, cursor, self.list_per_page, key, subject)


@admin.register(AlertDelivery)
class DeliveryAdmin(TabbedAdmin):
    """Every message to every channel, the newest first."""

    list_display = (
        "at",
        "shown_status",
        "shown_summary",
        "shown_channel",
        "shown_rule",
        "shown_state",
        "shown_answer",
    )
    list_display_links = None
    list_filter = (
        value_filter("state", lambda: list(AlertDelivery.State.values), shown=_),
        value_filter("channel", lambda: [one.name for one in rules.channels(settings.PROJECT)]),
        value_filter("rule", lambda: [one.name for one in rules.rules(settings.PROJECT)]),
        ConditionFilter,
        SubjectFilter,
    )
    detail_template = "admin/z4j_django/alerts/delivery.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DeliveryChangeList]:
        """The list that looks for what is told of."""
        return DeliveryChangeList

    @admin.display(description=gettext_lazy("at"))
    def at(self, row: AlertDelivery) -> str:
        """When it was to be sent."""
        return formatting.moment(row.created_at)

    @admin.display(description=gettext_lazy("says"))
    def shown_status(self, row: AlertDelivery) -> str:
        """Whether something began, or is over."""
        return badge(row.status)

    @admin.display(description=gettext_lazy("of"))
    def shown_summary(self, row: AlertDelivery) -> str:
        """What of, leading to the whole."""
        return self.link(self.url(row), formatting.text(row.summary or row.status))

    @admin.display(description=gettext_lazy("channel"))
    def shown_channel(self, row: AlertDelivery) -> str:
        """Whom."""
        return formatting.text(row.channel)

    @admin.display(description=gettext_lazy("rule"))
    def shown_rule(self, row: AlertDelivery) -> str:
        """By which rule."""
        return formatting.text(row.rule)

    @admin.display(description=gettext_lazy("outcome"))
    def shown_state(self, row: AlertDelivery) -> str:
        """What came of it."""
        return badge(row.state)

    @admin.display(description=gettext_lazy("answer"))
    def shown_answer(self, row: AlertDelivery) -> str:
        """What the channel said."""
        return formatting.text(row.answer)

    def detail(self, request: HttpRequest, record: AlertDelivery) -> dict[str, Any]:
        """The context of a delivery's page."""
        found = told.message(record)
        is_test = record.status == AlertDelivery.Status.TEST
        said = _("A test message.") if is_test else _("What it said is not on record.")
        waits = record.state == AlertDelivery.State.PENDING
        return {
            "title": record.summary or str(record),
            "badge": badge(record.state),
            "said": said if found is None else wording.plain(wording.prepared(found)),
            "answer": record.answer,
            "facts": facts(
                (_("Says"), _(record.status)),
                (_("Channel"), formatting.plain(record.channel)),
                (_("Kind"), formatting.plain(record.kind)),
                (_("Rule"), formatting.plain(record.rule) if record.rule else ""),
                (_("Message"), str(record.number) if record.number else ""),
                (_("Attempts"), str(record.attempts)),
                (_("To be sent"), formatting.full_moment(record.created_at)),
                (_("Last tried"), _moment(record.claimed_at)),
                (_("By"), formatting.plain(record.claimed_by) if record.claimed_by else ""),
                (_("Tried again"), formatting.full_moment(record.next_at) if waits else ""),
                (_("Settled"), _moment(record.finished_at)),
                (_("Project"), "" if record.project == "default" else record.project),
            ),
        }


@admin.register(AlertAct)
class ActAdmin(TabbedAdmin):
    """What rules did by themselves, or would have done."""

    list_display = ("shown_at", "shown_rule", "shown_what", "shown_subject", "shown_outcome")
    list_display_links = None
    detail_template = "admin/z4j_django/alerts/act.html"

    @admin.display(description=gettext_lazy("at"))
    def shown_at(self, row: AlertAct) -> str:
        """When."""
        return formatting.moment(row.at)

    @admin.display(description=gettext_lazy("rule"))
    def shown_rule(self, row: AlertAct) -> str:
        """Which rule."""
        return formatting.text(row.rule)

    @admin.display(description=gettext_lazy("operation"))
    def shown_what(self, row: AlertAct) -> str:
        """What it did, leading to more."""
        shown = self.link(self.url(row), formatting.verb(row.verb))
        paper = formatting.mark(_("only on paper"))
        return formatting.stacked(shown, paper) if row.is_dry_run else shown

    @admin.display(description=gettext_lazy("of"))
    def shown_subject(self, row: AlertAct) -> str:
        """What of."""
        return formatting.stacked(formatting.name(row.subject), _title(row.condition))

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, row: AlertAct) -> str:
        """What came of it."""
        return formatting.text(row.words)

    def detail(self, request: HttpRequest, record: AlertAct) -> dict[str, Any]:
        """The context of its page."""
        operation = ""
        if record.operation_id is not None and self.may_view(request, Operation):
            url = self.page_of(Operation, record.operation_id)
            words = _("operation %(number)s") % {"number": record.operation_id}
            operation = self.link(url, words)
        return {
            "title": str(record),
            "facts": facts(
                (_("Rule"), formatting.plain(record.rule)),
                (_("Condition"), _title(record.condition)),
                (_("Of"), formatting.plain(record.subject)),
                (_("Since"), formatting.full_moment(record.since)),
                (_("At"), formatting.full_moment(record.at)),
                (_("Only on paper"), _("yes") if record.is_dry_run else ""),
                (_("Operation"), operation),
                (_("Outcome"), formatting.plain(record.words) if record.words else ""),
            ),
        }


def told_of(admin_: ReadOnlyAdmin, request: HttpRequest, record: ConditionRecord) -> dict[str, Any]:
    """Who was told of a condition, for those who may see that."""
    if not admin_.may_view(request, AlertDelivery):
        return {}
    found = told.of_condition(record)
    more = admin_.list_url(AlertDelivery, condition=record.key, subject=record.subject)
    return {
        "told": [
            {
                "at": formatting.moment(row.finished_at or row.created_at),
                "says": badge(row.status),
                "channel": formatting.text(row.channel),
                "rule": formatting.text(row.rule),
                "state": admin_.link(admin_.url(row), badge(row.state)),
            }
            for row in found[:_SHOWN]
        ],
        "told_url": more,
        "shows_told": True,
    }


#: Deliveries on the page of a condition.
_SHOWN: Final = 20


def _title(key: str) -> SafeString:
    return formatting.plain(_(CONDITIONS[key].title) if key in CONDITIONS else key)


def _moment(value: Any) -> str:
    return formatting.full_moment(value) if value is not None else ""
