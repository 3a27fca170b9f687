"""Fields that several nouns share, and the choice among them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import openapi, problems


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


def described(serializer_class: Any) -> OpenApiParameter:
    """``?fields=`` for the schema."""
    names = "|".join(serializer_class._declared_fields)
    return openapi.parameter(
        "fields",
        "The fields wanted, with commas between them; they come in this order.",
        example="task_id,name,state",
        pattern=f"^({names})(,({names}))*$",
    )


def wanted(request: Request, serializer_class: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that ``?fields=`` names, each once, in its order.

    Args:
        request: Which asks.
        serializer_class: Whose declared fields there are.
        default: Those without the parameter.

    Raises:
        Invalid: If a field is unknown, or none is named.
    """
    given = request.query_params.get("fields")
    if given is None:
        return default
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    known = serializer_class._declared_fields
    strange = [name for name in names if name not in known]
    if strange or not names:
        reason = f"There is no field {strange[0][:60]!r}." if strange else "It names no field."
        told = f"{reason} The fields are: {', '.join(known)}."
        raise problems.Invalid([{"name": "fields", "reason": told}])
    return names
