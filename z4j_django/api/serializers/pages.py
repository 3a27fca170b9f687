"""What every list has around its rows, and the way from a noun to its tasks."""

from __future__ import annotations

from typing import Any

from django.utils.http import urlencode
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base
from z4j_django.queries import grammar


class Page(serializers.Serializer[Any]):
    """A page of a list."""

    next = serializers.URLField(allow_null=True, help_text="The page that follows.")
    previous = serializers.URLField(allow_null=True, help_text="The page before.")


def tasks_uri(request: Request, **terms: str) -> str:
    """The address of the list of the tasks for which some terms hold.

    Args:
        request: Whose host, and whose mount of this API.
        **terms: What each has to be; no character of it stands for anything else.
    """
    query = {name: grammar.shown(value, "*") for name, value in terms.items()}
    return f"{base.uri(request, 'tasks')}?{urlencode(query)}"
