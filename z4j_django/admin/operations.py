"""The audit trail: who did what, to what, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, states, verbs
from z4j_django.admin import formatting, operation_facts, operation_pages, queue_pages, queues
from z4j_django.admin.acting import ActingAdmin
from z4j_django.admin.filters import value_filter
from z4j_django.admin.fragments import Part
from z4j_django.admin.readonly import UNNAMED, Fact, facts
from z4j_django.models import (
    AlertDelivery,
    AlertSilence,
    Operation,
    OperationTarget,
    TaskRecord,
)
from z4j_django.operations import restoring
from z4j_django.queries import operations as queries
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.pages import Page
from z4j_django.values import whole_number

#: The task's state, or journal's, whose colour an outcome, an operation's state or a published
#: task has.
_COLOURS = {
    "waiting": "pending",
    "running": "started",
    "finished": "ignored",
    "aborted": "revoked",
    "pending": "pending",
    "acting": "started",
    "done": "success",
    "refused": "retry",
    "failed": "failure",
    "unknown": "rejected",
    "not_on_record": "pending",
    **{state: state.lower() for state in states.ALL},
}

#: What a retry of a group names, as which kind of target, and what the page calls it.
_NAMED = (
    ("group_id", "group", gettext_lazy("Group")),
    ("new_group_id", "group", gettext_lazy("Published as")),
    ("body_id", "task", gettext_lazy("Body")),
    ("new_body_id", "task", gettext_lazy("Body published as")),
)

#: Silence after which the process that carries an operation out is taken for dead.
KILLED_AFTER = timedelta(seconds=60)

#: Milliseconds after which the page of one that goes on is read again.
REFRESH = 2000

#: Time after its end for which the page follows the tasks of an operation.
_FOLLOWED = timedelta(hours=1)
#: Verbs that have tasks to follow.
_WITH_TASKS = frozenset(
    verb.name
    for verb in (
        *(verbs.RETRY, verbs.CANCEL, verbs.TERMINATE, verbs.RETRY_GROUP, verbs.RESTORE),
        verbs.RUN_SCHEDULE,
    )
)

#: Kinds of targets that have no page of their own here.
_PLAIN = (
    OperationTarget.Kind.QUEUE,
    OperationTarget.Kind.JOURNAL,
    OperationTarget.Kind.SCHEDULE,
    OperationTarget.Kind.ALERT,
    OperationTarget.Kind.SILENCE,
    OperationTarget.Kind.CHANNEL,
)
#: What the target of such a kind became.
_BECAME = {
    OperationTarget.Kind.ALERT: (AlertSilence, gettext_lazy("silence %(number)s")),
    OperationTarget.Kind.CHANNEL: (AlertDelivery, gettext_lazy("delivery %(number)s")),
}
_COUNTED = ("failed", "unknown", "refused", "done")


def _word(word: str) -> str:
    """A state or an outcome, in the reader's language."""
    return _(word.replace("_", " "))


def badge(word: str, count: int | None = None) -> SafeString:
    """What came of a target, an operation or a task, in its colour; with a number before it."""
    name = _word(word)
    shown = name if count is None else f"{formatting.count(count)} {name}"
    return formatting.coloured(_COLOURS.get(word, "pending"), shown)


def badges(operation: Operation) -> SafeString:
    """How many targets have each outcome, once it is over."""
    counted = ((name, getattr(operation, name)) for name in _COUNTED)
    found = [badge(name, count) for name, count in counted if count]
    return formatting.joined(*found) if found else formatting.text("")


@admin.register(Operation)
class OperationAdmin(ActingAdmin):
    """Every operation, the newest first."""

    actions = ()
    list_display = (
        "at",
        "shown_verb",
        "shown_state",
        "shown_actor",
        "surface",
        "shown_total",
        "outcomes",
    )
    list_display_links = None
    list_filter = (
        value_filter("verb", lambda: list(verbs.VERBS), shown=formatting.verb),
        value_filter("state", lambda: list(Operation.State.values), shown=_word),
    )
    search_fields = ("targets__target",)
    search_help_text = gettext_lazy(
        "Searches the operations that touched a task or a queue: the whole id, or name."
    )
    detail_template = "admin/z4j_django/operation/detail.html"

    def get_urls(self) -> list[Any]:
        """With the queues, and what can be done to an operation."""
        own: list[URLPattern] = [
            self.page("queues/", "queues", queues.QueuesPage),
            self.page("queues/one/", "queue", queues.QueuePage),
            self.page("queues/purge/", "purge", queue_pages.PurgePage),
            self.page("queues/move/", "move", queue_pages.MovePage),
            self.page("queues/pause/", "pause", queue_pages.PausePage),
            self.page("queues/resume/", "resume", queue_pages.ResumePage),
            self.page("<str:object_id>/restore/", "restore", operation_pages.RestorePage),
            self.page("<str:object_id>/abort/", "abort", operation_pages.AbortPage),
        ]
        return [*own, *super().get_urls()]

    def search_ranges(self, queryset: QuerySet[Operation], text: str) -> list[IndexRange]:
        """By whole ids of targets."""
        return queries.ranges(target=text.strip())

    def decorate(self, request: HttpRequest, rows: list[Any]) -> list[Any]:
        """The rows, each purge with the way to undo it for whoever may."""
        may = permissions.can(request.user, verbs.RESTORE.name)
        purges = [one for one in rows if may and _is_draining_that_is_over(one)]
        saved = queries.with_saved_messages(purges)
        for one in rows:
            one.restore_url = self.page_url("restore", one.pk) if one.pk in saved else None
        return rows

    @admin.display(description=gettext_lazy("at"))
    def at(self, operation: Operation) -> str:
        """When it was asked for."""
        return formatting.moment(operation.created_at)

    @admin.display(description=gettext_lazy("operation"))
    def shown_verb(self, operation: Any) -> str:
        """What, leading to the operation's page; below it, the way to undo it."""
        shown = self.link(self.url(operation), formatting.verb(operation.verb))
        if not operation.restore_url:
            return shown
        what = _("operation %(number)s") % {"number": operation.pk}
        return formatting.stacked(shown, formatting.act(operation.restore_url, _("Restore…"), what))

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, operation: Operation) -> str:
        """How far it is."""
        return badge(operation.state)

    @admin.display(description=gettext_lazy("by"))
    def shown_actor(self, operation: Operation) -> str:
        """Who."""
        return formatting.text(operation.actor)

    @admin.display(description=gettext_lazy("targets"))
    def shown_total(self, operation: Operation) -> str:
        """How many."""
        return f"{operation.total:,}"

    @admin.display(description=gettext_lazy("outcomes"))
    def outcomes(self, operation: Operation) -> str:
        """What came of them, once it is over."""
        return badges(operation)

    def detail(self, request: HttpRequest, record: Operation) -> dict[str, Any]:
        """The context of an operation's page."""
        counts = queries.counts(record)
        chosen, after = _place(request)
        page = queries.targets(record, chosen, Cursor(before=after), queries.TARGETS_LIMIT)
        found = queries.named(record, page.rows)
        over = record.finished_at is not None
        may = permissions.can(request.user, verbs.RESTORE.name)
        can_be_restored = may and _is_draining_that_is_over(record)
        settled = record.total - counts.get("pending", 0) - counts.get("acting", 0)
        return {
            "title": _("Operation %(number)s: %(verb)s")
            % {"number": record.pk, "verb": formatting.verb(record.verb, in_sentence=True)},
            "operation": record,
            "badge": badge(record.state),
            "over": over,
            "refresh": None if over else REFRESH,
            "settled": str(settled),
            "total": str(record.total),
            "progress": _("%(count)s of %(all)s")
            % {"count": formatting.count(settled), "all": formatting.count(record.total)},
            "relatives": self._relatives(request, record, found),
            "facts": operation_facts.told(record),
            "parameters": operation_facts.parameters(record),
            "abort_url": ""
            if over or record.abort_requested or not permissions.can(request.user, record.verb)
            else self.page_url("abort", record.pk),
            "restore_url": self.page_url("restore", record.pk)
            if can_be_restored and queries.with_saved_messages([record])
            else "",
            "still": not _is_followed(record),
            **self._targets(request, counts, page, found),
        }

    def parts(self, request: HttpRequest, record: Operation) -> dict[str, Part]:
        """What became of its tasks, which go on after it is over; they want that permission."""
        if record.verb not in _WITH_TASKS or not self.may_view(request, TaskRecord):
            return {}
        template = "admin/z4j_django/operation/became.html"
        every = 5 if _is_followed(record) else 0
        return {"became": Part(template, partial(_became, record), every)}

    def _targets(
        self,
        request: HttpRequest,
        counts: dict[str, int],
        page: Page[OperationTarget],
        found: queries.Named,
    ) -> dict[str, Any]:
        chosen, after = _place(request)
        query = f"outcome={chosen}&" if chosen else ""
        return {
            "outcomes": [
                {"name": name, "badge": badge(name, count), "chosen": name == chosen}
                for name, count in counts.items()
            ],
            "chosen": chosen,
            "rows": [self._row(request, row, found) for row in page.rows],
            "next_link": f"?{query}after={page.following.id}#z4j-targets" if page.following else "",
            "first_link": f"?{query.rstrip('&')}#z4j-targets" if after is not None else "",
        }

    def _relatives(
        self, request: HttpRequest, operation: Operation, found: queries.Named
    ) -> list[Fact]:
        """The group, the body and the operation that this one was about."""
        given = operation.parameters if isinstance(operation.parameters, dict) else {}
        lines = [
            (str(label), self._named(request, kind, str(given[name]), found))
            for name, kind, label in _NAMED
            if given.get(name)
        ]
        purge = given.get("restores")
        if isinstance(purge, int) and (undone := queries.find(purge)):
            lines.append(
                (
                    _("Puts back"),
                    self.link(self.url(undone), _("operation %(number)s") % {"number": purge}),
                )
            )
        if operation.verb in restoring.UNDONE:
            lines += [
                (
                    _("Put back by"),
                    self.link(
                        self.url(one),
                        _("operation %(number)s of %(actor)s")
                        % {"number": one.pk, "actor": one.actor},
                    ),
                )
                for one in queries.restores(operation)
            ]
        return facts(*lines)

    def _row(
        self, request: HttpRequest, row: OperationTarget, found: queries.Named
    ) -> dict[str, Any]:
        return {
            "number": str(row.position + 1),
            "outcome": formatting.stacked(badge(row.outcome), formatting.moment(row.at)),
            "target": self._named(request, row.kind, row.target, found),
            "result": self._result(request, row, found),
            "reason": row.reason,
        }

    def _result(self, request: HttpRequest, row: OperationTarget, found: queries.Named) -> str:
        if not row.result_id:
            return ""
        if row.kind in _BECAME:
            model, words = _BECAME[OperationTarget.Kind(row.kind)]
            may = self.may_view(request, model) and row.result_id.isdigit()
            url = self.page_of(model, row.result_id) if may else None
            return self.link(url, words % {"number": row.result_id})
        kind = "group" if row.result_id in found.groups else "task"
        return self._named(request, kind, row.result_id, found)

    def _named(self, request: HttpRequest, kind: str, target: str, found: queries.Named) -> str:
        """A target in words that lead to its page, where this user may see it."""
        if kind in _PLAIN:
            return formatting.joined(formatting.plain(_(kind)), formatting.plain(target))
        if kind == OperationTarget.Kind.ERROR:
            return formatting.joined(formatting.plain(_("error")), formatting.identifier(target))
        if kind == OperationTarget.Kind.GROUP:
            group = found.groups.get(target)
            if group is None or not self.may_view(request, type(group)):
                return formatting.missing(target)
            return formatting.joined(
                self.link(self.url(group), _(group.kind)), formatting.identifier(target)
            )
        task = found.tasks.get(target)
        if task is None or not self.may_view(request, type(task)):
            return formatting.missing(target)
        link = self.link(self.url(task), formatting.text(task.name or str(UNNAMED)))
        upper = formatting.joined(formatting.badge(task.state), link)
        return formatting.stacked(upper, formatting.identifier(target))


def _is_draining_that_is_over(operation: Operation) -> bool:
    """Whether it is a purge or move that has ended, or was killed."""
    if operation.verb not in restoring.UNDONE:
        return False
    silent_since = timezone.now() - KILLED_AFTER
    return operation.finished_at is not None or operation.updated_at <= silent_since


def _is_followed(operation: Operation) -> bool:
    """Whether it goes on, or has ended so lately that its tasks do."""
    return operation.finished_at is None or operation.finished_at > timezone.now() - _FOLLOWED


def _became(operation: Operation) -> dict[str, Any]:
    """How the tasks stand that it published, or acted on where it publishes none."""
    if verbs.VERBS[operation.verb] in (verbs.CANCEL, verbs.TERMINATE):
        counts, words = queries.acted_on(operation), _("Tasks that it acted on")
    else:
        counts, words = queries.published(operation), _("Tasks that it published")
    total = sum(counts.values())
    ended = sum(count for state, count in counts.items() if state in states.FINISHED)
    bar = formatting.progress(ended, total) if total else ""
    limit = queries.PUBLISHED_LIMIT
    return {
        "words": words,
        "counts": [badge(name, count) for name, count in counts.items()],
        "bar": bar,
        "limit": formatting.count(limit) if operation.total > limit else "",
    }


def _place(request: HttpRequest) -> tuple[str, int | None]:
    """Which targets the page shows: the outcome, and the position that they come after."""
    chosen = request.GET.get("outcome", "")
    after = whole_number(request.GET.get("after", ""), 9)
    return chosen if chosen in queries.OUTCOMES else "", after
