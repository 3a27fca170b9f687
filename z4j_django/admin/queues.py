"""Queues: what waits in each and since when, what goes in and out, and who takes from it.

What is shown was sampled once a minute and counted as it happened: no page waits for the broker,
unless one asks it to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from z4j_django import permissions, verbs
from z4j_django.admin import formatting, fragments, links
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.conf import settings
from z4j_django.control import queue_depths
from z4j_django.exceptions import Z4JError
from z4j_django.models import ConditionRecord, PausedQueue, TaskRecord, WorkerRecord
from z4j_django.operations import peeking
from z4j_django.queries import pauses, queue_table, queues, unfinished, workers
from z4j_django.queries.filter import terms
from z4j_django.queries.queue_table import Queue
from z4j_django.values import INTERNAL, is_storable

#: Seconds that one page waits for the broker; queues that are left are not counted.
TIMEOUT: Final = queue_depths.TIMEOUT
#: Queues that the broker is asked for at once.
ASKED_LIMIT: Final = 50
#: Seconds from one refresh to the next.
_EVERY: Final = 10
#: The ranges of a queue's line, in hours, and how many points it has at most.
HOURS: Final = {
    1: gettext_lazy("1 h"),
    6: gettext_lazy("6 h"),
    24: gettext_lazy("24 h"),
    24 * 7: gettext_lazy("7 d"),
}
_POINTS: Final = 360
#: Workers that are named of one queue, and names of tasks.
_WORKERS: Final = 50
_NAMES: Final = 20


class QueuesPage(Page):
    """The queues on record, those in which the most waits first."""

    template_name = "admin/z4j_django/queues.html"
    place = "queues"

    def parts(self) -> Mapping[str, Part]:
        """The table, unless the broker was asked: it is not asked again and again."""
        if self._asks:
            return {}
        return {"table": Part("admin/z4j_django/queue_table.html", self._table, _EVERY)}

    def context(self) -> dict[str, Any]:
        """The table where the broker was asked, and the way to purge any queue."""
        may_purge = permissions.can(self.request.user, verbs.PURGE_QUEUE.name)
        return {
            "title": _("Queues"),
            "may_purge": may_purge,
            "purge_url": self.model_admin.page_url("purge"),
            "asks": self._asks,
            **(self._table() if self._asks else {}),
        }

    @property
    def _asks(self) -> bool:
        return "ask" in self.request.GET

    def _table(self) -> dict[str, Any]:
        now = timezone.now()
        takers = queue_table.consumers(workers.online(settings.PROJECT, now))
        found = queue_table.table(settings.PROJECT, now, takers)
        paused = pauses.by_queue(settings.PROJECT)
        rows = {}
        for one in found:
            pause = paused.get(one.name)
            mine = pauses.takers(pause, takers.get(one.name, ()))
            rows[one.name] = cells(self.request, one, now, mine, pause)
        if self._asks:
            names = [one.name for one in found[:ASKED_LIMIT]]
            for name, depth in queue_depths.count_many(names, TIMEOUT).items():
                rows[name]["depth"] = _depth(depth)
        return {
            "rows": list(rows.values()),
            "limit": formatting.count(queue_table.LIMIT) if len(found) == queue_table.LIMIT else "",
            "asked": formatting.count(ASKED_LIMIT) if len(found) > ASKED_LIMIT else "",
        }


def cells(
    request: HttpRequest,
    queue: Queue,
    now: datetime,
    takers: Sequence[WorkerRecord],
    pause: PausedQueue | None = None,
) -> dict[str, Any]:
    """How a queue stands, in a line of a table; ``takers`` take from it."""
    sample = queue.sample
    told = sample.consumers if sample is not None else None
    consumers = len(takers) if told is None else told
    is_real = not queue.name.startswith(INTERNAL)
    return {
        "name": links.linked(
            links.queue_url(request, queue.name) if is_real else None,
            formatting.name(queue.name if is_real else _("others")),
        ),
        "depth": _depth(queue.depth),
        "unknown": sample.unknown if sample is not None else "",
        "oldest": formatting.elapsed(sample.oldest_at, now) if sample and sample.oldest_at else "",
        "sent": _rate(queue.sent),
        "taken": _rate(queue.taken),
        "consumers": formatting.count(consumers),
        "is_bad": bool(queue.depth) and not consumers and pause is None,
        "paused": formatting.paused(pause) if pause is not None else "",
        "line": _line(queue),
    }


def _depth(depth: int | None) -> str:
    return formatting.count(depth) if depth is not None else _("unknown")


def _rate(a_minute: float) -> str:
    return formatting.count(a_minute, 0 if a_minute >= 10 or a_minute == int(a_minute) else 1)


def _line(queue: Queue) -> SafeString | str:
    known = [value for value in queue.line if value is not None]
    if not known:
        return ""
    most = ngettext("%d waiting at most", "%d waiting at most", max(known)) % max(known)
    return formatting.sparkline(queue.line, _("the last hour: %s") % most)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class QueuePage(Page):
    """One queue."""

    template_name = "admin/z4j_django/queue.html"
    place = "queues"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, a part of it, or the numbers of its line."""
        if "line" in request.GET:
            return self._numbers()
        return super().get(request, *args, **kwargs)

    def parts(self) -> Mapping[str, Part]:
        """How it stands; and what waits in it, where somebody asks and may."""
        found = {"now": Part("admin/z4j_django/queue_now.html", self._now, _EVERY)}
        if "messages" in self.request.GET and peeking.may(self.request.user):
            template = "admin/z4j_django/queue_messages.html"
            found["messages"] = Part(template, self._messages, 0)
        return found

    def context(self) -> dict[str, Any]:
        """Its name, its line, and what can be done."""
        admin, name = self.model_admin, self._name
        points = self._points()
        if not points and not queues.is_known(name):
            raise Http404(_("There is no queue of this name on record."))
        tasks = admin.may_view(self.request, TaskRecord)
        return {
            "title": name,
            "verbs": self._verbs(),
            "messages_url": (
                admin.page_url("queue", queue=name, messages=1)
                if peeking.may(self.request.user)
                else None
            ),
            "tasks_url": admin.list_url(TaskRecord, queue=name) if tasks else None,
            "waiting_url": (
                admin.list_url(TaskRecord, queue=name, state="PENDING") if tasks else None
            ),
            "ranges": [
                {
                    "label": label,
                    "url": admin.page_url("queue", queue=name, hours=hours),
                    "is_current": hours == self._hours,
                }
                for hours, label in HOURS.items()
            ],
            "line_url": admin.page_url("queue", queue=name, hours=self._hours, line=1),
            "points": [
                {"at": formatting.full_moment(at), "depth": formatting.count(depth)}
                for at, depth in points[-60:][::-1]
            ],
        }

    def _verbs(self) -> list[dict[str, Any]]:
        """What this user may do to it, each with its page."""
        is_paused = pauses.of(settings.PROJECT, self._name) is not None
        pages = (
            ("resume", verbs.RESUME_QUEUE, _("Resume…"))
            if is_paused
            else ("pause", verbs.PAUSE_QUEUE, _("Pause…")),
            ("move", verbs.MOVE_QUEUE, _("Move…")),
            ("purge", verbs.PURGE_QUEUE, _("Purge…")),
        )
        return [
            {
                "label": label,
                "url": self.model_admin.page_url(page, queue=self._name),
                "is_dangerous": verb.dangerous,
            }
            for page, verb, label in pages
            if permissions.can(self.request.user, verb.name)
        ]

    def _messages(self) -> dict[str, Any]:
        try:
            found = peeking.peek(self._name, actor=self.request.user)
        except Z4JError as error:
            return {"why_not": str(error)}
        return {"rows": [self._message(one) for one in found], "limit": peeking.LIMIT}

    def _message(self, one: peeking.Waiting) -> dict[str, Any]:
        wanted = str(terms.exactly("id", one.task_id))
        url = links.tasks_url(self.request, wanted) if one.task_id else None
        known = [value for value in (one.args, one.kwargs) if value is not None]
        return {
            "task": links.linked(url, formatting.name(one.name)) if one.name else "-",
            "sent": formatting.moment(one.sent_at) if one.sent_at else "-",
            "priority": "" if one.priority is None else one.priority,
            "content": formatting.bounded(", ".join(map(_as_json, known))),
            "unknown": one.unknown,
        }

    @property
    def _name(self) -> str:
        name = self.request.GET.get("queue", "")
        if not name or not is_storable(name):
            raise Http404(_("That is no name of a queue."))
        return name

    @property
    def _hours(self) -> int:
        given = self.request.GET.get("hours", "")
        return int(given) if given in map(str, HOURS) else next(iter(HOURS))

    def _points(self) -> list[tuple[datetime, int | None]]:
        since = timezone.now() - timedelta(hours=self._hours)
        found = queues.samples(settings.PROJECT, self._name, since, _POINTS)
        return [(one.at, one.depth) for one in found]

    def _numbers(self) -> HttpResponse:
        points = self._points()
        data = {
            "at": [int(at.timestamp()) for at, _depth in points],
            "series": [
                {"label": _("waiting"), "outcome": "", "values": [depth for _at, depth in points]}
            ],
            "marks": [],
            "unit": "",
        }
        answer = JsonResponse(data)
        return fragments.revalidated(self.request, answer, answer.content.decode())

    def _now(self) -> dict[str, Any]:
        now = timezone.now()
        queue = queue_table.one(settings.PROJECT, self._name, now)
        takers = queue_table.consumers(workers.online(settings.PROJECT, now)).get(queue.name, [])
        held = ConditionRecord.objects.filter(
            project=settings.PROJECT, subject=queue.name, is_open=True, key__in=CONDITIONS
        )
        pause = pauses.of(settings.PROJECT, queue.name)
        waiting, more_wait = unfinished.waiting_in(settings.PROJECT, queue.name)
        taking = pauses.takers(pause, takers)
        return {
            **cells(self.request, queue, now, taking, pause),
            "waiting": [
                {
                    "name": links.linked(self._waiting_url(one.name), formatting.name(one.name)),
                    "count": formatting.count(one.count),
                    "oldest": formatting.elapsed(one.oldest_at, now),
                }
                for one in waiting[:_NAMES]
            ],
            "looked": formatting.count(unfinished.LOOK) if more_wait else "",
            "sampled": formatting.moment(queue.sample.at) if queue.sample else "",
            "wrong": [
                {"evidence": one.evidence, "since": formatting.moment(one.since)} for one in held
            ],
            "workers": self._workers(taking[:_WORKERS]),
            "more": len(taking) > _WORKERS,
        }

    def _waiting_url(self, name: str) -> str | None:
        admin = self.model_admin
        if not admin.may_view(self.request, TaskRecord):
            return None
        url: str | None = admin.list_url(TaskRecord, queue=self._name, state="PENDING", name=name)
        return url

    def _workers(self, takers: Iterable[WorkerRecord]) -> list[SafeString]:
        admin = self.model_admin
        sees = admin.may_view(self.request, WorkerRecord)
        return [
            admin.link(admin.url(one) if sees else None, formatting.name(one.hostname))
            for one in takers
        ]


#: The conditions that are said of a queue.
CONDITIONS: Final = (
    "paused_queue_consumed",
    "queue_backing_up",
    "queue_without_consumer",
    "worker_not_consuming",
)
