"""Where pages that know but a request lead to, for whoever may see what is there."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from z4j_django.admin import navigation
from z4j_django.admin.navigation import APP
from z4j_django.queries.filter import terms


def tasks_url(request: HttpRequest, text: str) -> str | None:
    """The tasks that a filter finds, for whoever may see tasks."""
    if not navigation.may_view(request, "taskrecord"):
        return None
    address = navigation.address(request, f"{APP}_taskrecord_changelist")
    return f"{address}?{urlencode({'q': text})}" if address else None


def record_url(request: HttpRequest, model: str, key: object) -> str | None:
    """The page of a record, for whoever may see it."""
    if not navigation.may_view(request, model):
        return None
    return navigation.address(request, f"{APP}_{model}_change", key)


def schedules_url(request: HttpRequest) -> str | None:
    """All schedules, for whoever may see the tasks that they send."""
    if not navigation.may_view(request, "taskrecord"):
        return None
    return navigation.address(request, f"{APP}_taskrecord_schedules")


def queue_url(request: HttpRequest, name: str) -> str | None:
    """The page of a queue, for whoever may see queues; its tasks for others, if they may."""
    if not navigation.may_view(request, "operation"):
        return tasks_url(request, str(terms.exactly("queue", name)))
    address = navigation.address(request, f"{APP}_operation_queue")
    return f"{address}?{urlencode({'queue': name})}" if address else None


def linked(url: str | None, shown: SafeString | str) -> SafeString:
    """``shown``, leading somewhere if there is a way."""
    return format_html('<a href="{}">{}</a>', url, shown) if url else format_html("{}", shown)
