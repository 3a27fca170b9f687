"""Where the first page leads to."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import urlencode

from z4j_django.admin import navigation
from z4j_django.admin.navigation import APP


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
