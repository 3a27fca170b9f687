"""How the journals stand, and what was lost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage, keys
from z4j_django.admin.filters import value_filter
from z4j_django.admin.readonly import ReadOnlyAdmin, facts
from z4j_django.admin.trails import Button
from z4j_django.exceptions import OperationError
from z4j_django.models import JournalLoss, JournalRecord, Operation
from z4j_django.models.primary import primary
from z4j_django.operations import journals as planning
from z4j_django.queries import health

#: The state of a worker or task whose colour a journal's state has.
_COLOURS = {"shipping": "online", "behind": "silent", "stopped": "offline", "silent": "failure"}

# Capture's health belongs on the first page. A site that has an index template keeps its own.
if admin.site.index_template is None:
    admin.site.index_template = "admin/z4j_django/index.html"


@admin.register(JournalRecord)
class JournalAdmin(ReadOnlyAdmin):
    """Every journal, as its shipper saw it last."""

    list_display = ("state", "place", "lag", "waiting", "shown_size", "segments", "pid", "seen")
    list_display_links = None
    detail_template = "admin/z4j_django/journalrecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the page that dismisses one."""
        own = [self.page("<str:object_id>/dismiss/", "dismiss", DismissPage)]
        return [*own, *super().get_urls()]

    @admin.display(description=gettext_lazy("state"))
    def state(self, record: JournalRecord) -> str:
        """Whether it is shipped."""
        return badge(_journal(record).state)

    @admin.display(description=gettext_lazy("journal"))
    def place(self, record: JournalRecord) -> str:
        """Host and directory, leading to the journal's page."""
        return self.link(self.url(record), formatting.text(str(record)))

    @admin.display(description=gettext_lazy("oldest waits"))
    def lag(self, record: JournalRecord) -> str:
        """How long the oldest event had been waiting."""
        return formatting.duration(_journal(record).lag.total_seconds())

    @admin.display(description=gettext_lazy("to store"))
    def waiting(self, record: JournalRecord) -> str:
        """The bytes that were not stored."""
        return filesizeformat(record.pending)

    @admin.display(description=gettext_lazy("size"))
    def shown_size(self, record: JournalRecord) -> str:
        """The bytes on disk."""
        return filesizeformat(record.size)

    @admin.display(description=gettext_lazy("last report"))
    def seen(self, record: JournalRecord) -> str:
        """When its shipper last said so."""
        return formatting.moment(record.seen_at)

    def detail(self, request: HttpRequest, record: JournalRecord) -> dict[str, Any]:
        """The context of a journal's page."""
        found = _journal(record)
        return {
            "title": str(record),
            "badge": badge(found.state),
            "buttons": self._buttons(request, record, found),
            "facts": facts(
                (_("Host"), formatting.plain(record.host)),
                (_("Directory"), formatting.plain(record.directory)),
                (_("Shipped by process"), str(record.pid)),
                (_("Last report"), formatting.full_moment(record.seen_at)),
                (_("Oldest event waited"), formatting.duration(found.lag.total_seconds())),
                (_("To store"), filesizeformat(record.pending)),
                (_("Size"), filesizeformat(record.size)),
                (_("Segments"), str(record.segments)),
            ),
        }

    def _buttons(
        self, request: HttpRequest, record: JournalRecord, found: health.Journal
    ) -> list[Button]:
        """What this user may do about it, or why not now."""
        verb = verbs.DISMISS_JOURNAL
        if not permissions.can(request.user, verb.name):
            return []
        is_shipped = found.silence <= health.SILENT_AFTER
        why = _("Somebody ships it: only what nobody reports any more is dismissed.")
        url = self.page_url("dismiss", record.pk)
        return [Button(f"{_(verb.label)}…", url, why if is_shipped else "")]


class DismissPage(VerbPage):
    """Takes a journal off the record that nobody ships any more."""

    verb = verbs.DISMISS_JOURNAL

    def choose(self) -> None:
        """The journal of the address."""
        wanted = keys([self.kwargs["object_id"]])
        self.records = list(primary(JournalRecord).filter(pk__in=wanted))
        if not self.records:
            raise OperationError(_("This journal is not on record."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """A form without fields: which journal is what the page is about."""
        return forms.form_for()(data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Dismiss it."""
        return [self.perform(str(self.records[0]), {})]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What it is, and what its last word was."""
        place = str(self.records[0])
        return self.shown(
            form,
            title=_("Dismiss the journal %(journal)s?") % {"journal": place},
            note=f"{_(self.verb.about)} {planning.preview(place).reason}",
            submit=_("Dismiss it"),
        )


@admin.register(JournalLoss)
class LossAdmin(ReadOnlyAdmin):
    """Every loss, the newest first."""

    list_display = ("shown_reason", "count", "shown_host", "lost", "shown_detail")
    list_display_links = None
    list_filter = (value_filter("reason", lambda: list(health.REASONS)),)
    detail_template = "admin/z4j_django/journalloss/detail.html"

    @admin.display(description=gettext_lazy("reason"))
    def shown_reason(self, record: JournalLoss) -> str:
        """Why, leading to the loss's page."""
        return self.link(self.url(record), formatting.text(record.reason))

    @admin.display(description=gettext_lazy("host"))
    def shown_host(self, record: JournalLoss) -> str:
        """Where."""
        return formatting.text(record.host)

    @admin.display(description=gettext_lazy("at"))
    def lost(self, record: JournalLoss) -> str:
        """When."""
        return formatting.moment(record.at)

    @admin.display(description=gettext_lazy("detail"))
    def shown_detail(self, record: JournalLoss) -> str:
        """What more is known."""
        return formatting.text(record.detail)

    def detail(self, request: HttpRequest, record: JournalLoss) -> dict[str, Any]:
        """The context of a loss's page."""
        return {
            "title": str(record),
            "facts": facts(
                (_("Reason"), formatting.plain(record.reason)),
                (_("Events"), str(record.count)),
                (_("Host"), formatting.plain(record.host)),
                (_("At"), formatting.full_moment(record.at)),
                (_("Detail"), formatting.plain(record.detail) if record.detail else ""),
                (_("Project"), "" if record.project == "default" else record.project),
            ),
        }


def badge(state: health.JournalState) -> SafeString:
    """A journal's state in its colour."""
    return formatting.coloured(_COLOURS[state], _(state))


def _journal(record: JournalRecord) -> health.Journal:
    return health.journal(record, timezone.now())
