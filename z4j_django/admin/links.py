"""Where pages that know but a request lead to, for whoever may see what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from z4j_django import permissions, verbs
from z4j_django.admin import navigation
from z4j_django.admin.navigation import APP
from z4j_django.queries.filter import terms


def page_url(
    request: HttpRequest, model: str, page: str = "changelist", *args: object
) -> str | None:
    """A page of a model's, its list by default, for whoever may see the model."""
    if not navigation.may_view(request, model):
        return None
    return navigation.address(request, f"{APP}_{model}_{page}", *args)


def tasks_url(request: HttpRequest, text: str) -> str | None:
    """The tasks that a filter finds, for whoever may see tasks."""
    return with_query(page_url(request, "taskrecord"), {"q": text})


def bulk_url(request: HttpRequest, verb: str, query: Mapping[str, Any]) -> str | None:
    """Where a verb is done to all that a filter finds, for whoever may do it to many."""
    if not all(permissions.can(request.user, one) for one in ("bulk", verb)):
        return None
    return with_query(page_url(request, "taskrecord", f"bulk_{verb}"), query)


def worker_verb_url(request: HttpRequest, verb: str, query: Mapping[str, Any]) -> str | None:
    """Where a verb is done to workers, for whoever may, and may see them."""
    if not permissions.can(request.user, verb):
        return None
    return with_query(page_url(request, "workerrecord", verb), query)


def record_url(request: HttpRequest, model: str, key: object) -> str | None:
    """The page of a record, for whoever may see it."""
    return page_url(request, model, "change", key)


def schedules_url(request: HttpRequest) -> str | None:
    """All schedules, for whoever may see the tasks that they send."""
    return page_url(request, "taskrecord", "schedules")


def queues_url(request: HttpRequest) -> str | None:
    """All queues, for whoever may see them."""
    return page_url(request, "operation", "queues")


def queue_url(request: HttpRequest, name: str) -> str | None:
    """The page of a queue, for whoever may see queues; its tasks for others, if they may."""
    if not navigation.may_view(request, "operation"):
        return tasks_url(request, str(terms.exactly("queue", name)))
    return with_query(page_url(request, "operation", "queue"), {"queue": name})


def retry_group_url(request: HttpRequest, group_id: str, members: str) -> str | None:
    """Where a group is run again, for whoever may: ``all`` of it, what ``failed``, its ``body``."""
    if not permissions.can(request.user, verbs.RETRY_GROUP.name):
        return None
    return with_query(page_url(request, "grouprecord", f"retry_{members}"), {"group": group_id})


def with_query(address: str | None, query: Mapping[str, Any]) -> str | None:
    """An address with parameters; None where there is none."""
    return f"{address}?{urlencode(query, doseq=True)}" if address else None


def linked(url: str | None, shown: SafeString | str) -> SafeString:
    """``shown``, leading somewhere if there is a way."""
    return format_html('<a href="{}">{}</a>', url, shown) if url else format_html("{}", shown)
