"""Fields that several nouns share: moments, addresses, and what is a model's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.http import urlencode
from rest_framework import serializers
from rest_framework.fields import get_attribute

from z4j_django.api import base
from z4j_django.queries.filter import words
from z4j_django.values import error_id


def moment(value: datetime | None) -> str | None:
    """A moment as ISO 8601 has it: in UTC, with microseconds and a Z; None for none."""
    if value is None:
        return None
    if timezone.is_naive(value):  # a project without time zones
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Moment(serializers.DateTimeField):
    """A moment, in UTC whatever zone and form the project's settings ask for."""

    def to_representation(self, value: Any) -> str | None:
        """As :func:`moment` has it."""
        return moment(value)


class Seconds(serializers.FloatField):
    """A length of time."""

    def to_representation(self, value: timedelta) -> float:
        """In seconds."""
        return value.total_seconds()


class Counts(serializers.DictField):
    """How many there are of each, in an order."""

    child = serializers.IntegerField()

    def to_representation(self, value: Any) -> dict[str, int]:
        """From pairs, or from what has the same."""
        return dict(value)


class Address(serializers.URLField):
    """The address of a route of ours.

    Args:
        route: Its name.
        *attributes: Of what is shown, for the route's path.
        project: Whether it is of one project, which the address then names.
        **kwargs: As every field takes them.
    """

    def __init__(self, route: str, *attributes: str, project: bool = False, **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.route = route
        self.attributes = attributes
        self.project = project

    def to_representation(self, value: Any) -> str:
        """The whole address."""
        parts = [get_attribute(value, [name]) for name in self.attributes]
        project = get_attribute(value, ["project"]) if self.project else None
        return base.uri(self.context["request"], self.route, *parts, project=project)


class TasksAddress(serializers.URLField):
    """The address of the list of the tasks that belong to what is shown.

    Args:
        help_text: As every field takes it.
        **terms: Terms of the filter, and the attribute that each has to be, or what makes it. No
            character of it stands for anything else.
    """

    def __init__(self, *, help_text: str, **terms: str | Callable[[Any], str]) -> None:
        super().__init__(source="*", read_only=True, help_text=help_text)
        self.terms = terms

    def to_representation(self, value: Any) -> str:
        """The whole address."""
        values = {
            name: one(value) if callable(one) else get_attribute(value, [one])
            for name, one in self.terms.items()
        }
        query = urlencode({name: words.shown(one, "*") for name, one in values.items()})
        return f"{base.uri(self.context['request'], 'tasks')}?{query}"


class ErrorId(serializers.CharField):
    """The id of an error.

    Args:
        **kwargs: As every field takes them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        """From its fingerprint."""
        return error_id(value)


class Row(serializers.IntegerField):
    """The number of a row.

    Args:
        nouns: What the rows are.
    """

    def __init__(self, nouns: str) -> None:
        told = f"The number of its row; later {nouns} have greater ones."
        super().__init__(source="pk", read_only=True, help_text=told)


class Record(serializers.ModelSerializer[Any]):
    """Shows columns of a model; their types and their help are the model's."""

    serializer_field_mapping: ClassVar[Any] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: Moment,
    }

    def get_extra_kwargs(self) -> dict[str, Any]:
        """Nothing of it can be written. Where ``Meta.nullable`` is true any of it may be null."""
        meta: Any = self.Meta
        shown: dict[str, Any] = {"read_only": True}
        if getattr(meta, "nullable", False):
            shown["allow_null"] = True
        return {name: dict(shown) for name in meta.fields}

    def get_uniqueness_extra_kwargs(self, *args: Any) -> Any:
        """None: that is for what is written."""
        return args[2], {}
