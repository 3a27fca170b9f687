"""Fields and bodies of requests that guess nothing: what is read wrongly acts wrongly.

A text is no number, 1 is not true, and a member that nobody knows is told instead of being passed
over: it may have been meant to hold something back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar

from rest_framework import serializers

from z4j_django.conf import settings
from z4j_django.secrets import placeholders
from z4j_django.values import LONGEST_DELAY, SHORT, UNSTORABLE

#: Unknown members that are told, and characters of each.
_TOLD: Final = 20
_SHOWN: Final = 60

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_C = TypeVar("_C", bound=type)

_MOMENT: Final = {"type": "string", "format": "date-time"}
_SECONDS: Final = {"type": "number", "minimum": 0, "maximum": LONGEST_DELAY}


def shaped(schema: Mapping[str, Any]) -> Callable[[_C], _C]:
    """Decorates a field with what the schema says of its values."""

    def decorate(field: _C) -> _C:
        annotated: Any = field
        annotated.json_schema = schema
        return field

    return decorate


class Body(serializers.Serializer[Any]):
    """A JSON object with nothing in it but what is declared."""

    #: More of JSON schema that holds for it.
    shape: ClassVar[Mapping[str, Any]] = {}

    default_error_messages: ClassVar = {"invalid": "The body has to be a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        """The members."""
        if isinstance(data, Mapping) and (unknown := data.keys() - self.fields.keys()):
            known = ", ".join(self.fields) or "none"
            reason = f"There is no such member; those that there are: {known}."
            told = sorted(str(name)[:_SHOWN] for name in unknown)[:_TOLD]
            raise serializers.ValidationError(dict.fromkeys(told, reason))
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        """The string; no number is taken for one."""
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        return text


class Number(serializers.FloatField):
    """A JSON number."""

    def to_internal_value(self, data: Any) -> float:
        """The number; no text, and no truth, is taken for one."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        number: float = super().to_internal_value(data)
        return number


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        """The number; 1.0 is one, in JSON."""
        is_whole = isinstance(data, int) or (isinstance(data, float) and data.is_integer())
        if isinstance(data, bool) or not is_whole:
            self.fail("invalid")
        return int(data)


class Choice(serializers.ChoiceField):
    """One of some words."""

    def to_internal_value(self, data: Any) -> str:
        """The word; what was given instead is not told again, however long it is."""
        if not isinstance(data, str) or data not in self.choices:
            raise serializers.ValidationError(f"This has to be one of: {', '.join(self.choices)}.")
        return data


class Flag(serializers.BooleanField):
    """True or false, as JSON has them."""

    def to_internal_value(self, data: Any) -> bool:
        """It; nothing else is as good as true."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data is True


@shaped(_MOMENT)
class Moment(serializers.Field[datetime, Any, str, Any]):
    """A moment of RFC 3339, whose offset nobody has to guess."""

    default_error_messages: ClassVar = {
        "invalid": "This has to be a moment with its offset, such as 2026-11-01T12:00:00Z.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        """The moment, in UTC; one beyond the calendar's ends is its end."""
        if not isinstance(data, str) or not _RFC_3339.fullmatch(data):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(data.upper())
        except ValueError:
            self.fail("invalid")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            end = datetime.min if moment.year == datetime.min.year else datetime.max
            return end.replace(tzinfo=UTC)

    def to_representation(self, value: datetime) -> str:
        """As ISO 8601."""
        return value.isoformat()


@shaped({"oneOf": [_SECONDS, _MOMENT]})
class SecondsOrMoment(serializers.Field[Any, Any, Any, Any]):
    """A length of time from now on, or a moment; which of them follows from its type."""

    def to_internal_value(self, data: Any) -> float | datetime:
        """Seconds, or the moment in UTC."""
        field = Moment() if isinstance(data, str) else Number(min_value=0, max_value=LONGEST_DELAY)
        found: float | datetime = field.run_validation(data)
        return found

    def to_representation(self, value: Any) -> Any:
        """As it was given."""
        return value.isoformat() if isinstance(value, datetime) else value


class _Arguments(serializers.JSONField):
    kind: ClassVar[type]

    default_error_messages: ClassVar = {
        "list": "This has to be an array.",
        "dict": "This has to be an object.",
        "masked": "The value at {place} is masked or cut; it can't be sent as it stands.",
    }

    def to_internal_value(self, data: Any) -> Any:
        """The arguments, if they are no copy of what the record shows in their place."""
        if not isinstance(data, self.kind):
            self.fail(self.kind.__name__)
        if place := placeholders.place_of(data):
            self.fail("masked", place=place[:SHORT])
        return data


@shaped({"type": "array", "items": {}})
class Args(_Arguments):
    """Positional arguments of a task."""

    kind = list


@shaped({"type": "object", "additionalProperties": {}})
class Kwargs(_Arguments):
    """Keyword arguments of a task."""

    kind = dict


@shaped(
    {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "minLength": 1, "maxLength": SHORT, "format": "z4j-task-id"},
    }
)
class TaskIds(serializers.Field[list[str], Any, list[str], Any]):
    """Ids of tasks, as many as one operation may have."""

    default_error_messages: ClassVar = {
        "invalid": "This has to be an array of task ids.",
        "empty": "At least one id is wanted.",
        "many": "At most {limit:,} are taken at once (Z4J['BULK_LIMIT']); these are {count:,}.",
        "id": "The one at {place} is no task id: a text of 1 to {length} characters.",
    }

    def to_internal_value(self, data: Any) -> list[str]:
        """The ids; of those that can't be, the first is told."""
        if not isinstance(data, list):
            self.fail("invalid")
        if not data:
            self.fail("empty")
        if len(data) > settings.BULK_LIMIT:
            self.fail("many", limit=settings.BULK_LIMIT, count=len(data))
        for place, task_id in enumerate(data):
            if not is_id(task_id):
                self.fail("id", place=place, length=SHORT)
        return list(data)

    def to_representation(self, value: list[str]) -> list[str]:
        """The ids."""
        return value


def is_id(value: Any) -> bool:
    """Whether ``value`` can be the id of a task or group."""
    return isinstance(value, str) and 0 < len(value) <= SHORT and not UNSTORABLE.search(value)
