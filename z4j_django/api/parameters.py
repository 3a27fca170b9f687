"""The parameters of the query and of the path, each declared once.

A declaration reads the parameter of a request into a typed value, refuses what can't be, and says
of itself what the schema tells: type, bounds, help, default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.http import QueryDict

from z4j_django.conf import settings
from z4j_django.values import GREATEST_ID, PROJECT_LENGTH, SHORT, iso_time

#: What a text of the query has to be: no database stores a NUL.
_STORABLE: Final = r"^[^\u0000]*$"


class Parameter:
    """A parameter of the query.

    Args:
        name: Its name.
        help: What it does, with the unit of what it takes.
        default: Its value where it is left out.
        **schema: Of JSON schema: ``type``, by default a string, ``format``, ``enum``, bounds.
    """

    where = "query"

    def __init__(self, name: str, help: str, *, default: Any = "", **schema: Any) -> None:
        self.name = name
        self.help = help
        self.default = default
        self.schema: dict[str, Any] = {"type": "string", **schema}
        if schema.keys().isdisjoint({"type", "format", "pattern", "enum"}):
            self.schema["pattern"] = _STORABLE

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it goes by; ``kwargs.*`` stands for all that begin with ``kwargs.``."""
        return (self.name,)

    @property
    def is_repeatable(self) -> bool:
        """Whether it may come several times."""
        return False

    def value(self, query: QueryDict) -> Any:
        """What a query says of it.

        Raises:
            ValueError: If that can't be; says why.
            FilterError: If it is of a filter, and can't be read.
        """
        given = query.get(self.name)
        return self.absent() if given is None else self.read(given)

    def absent(self) -> Any:
        """Its value where it is left out."""
        return self.default

    def read(self, given: str) -> Any:
        """The value of a text; raises as :meth:`value` does."""
        return given

    def described(self) -> Iterator[dict[str, Any]]:
        """It as OpenAPI has it."""
        yield {
            "in": self.where,
            "name": self.name,
            "schema": self.schema,
            "description": self.help,
        }


class InPath(Parameter):
    """A parameter of the path, which the route reads: a text, where nothing else is said."""

    where = "path"

    def __init__(self, name: str, help: str, **schema: Any) -> None:
        bounds = {} if "type" in schema else {"maxLength": SHORT, "minLength": 1}
        super().__init__(name, help, **bounds, **schema)

    def described(self) -> Iterator[dict[str, Any]]:
        """It as OpenAPI has it; no request is without it."""
        for one in super().described():
            yield {**one, "required": True}


class Text(Parameter):
    """A text that a record may have for its id or name; by default empty.

    Args:
        name: Its name.
        help: What it does.
        shortest: Characters, at least.
    """

    def __init__(self, name: str, help: str, *, shortest: int = 1) -> None:
        super().__init__(name, help, minLength=shortest, maxLength=SHORT)

    def read(self, given: str) -> str:
        """The text."""
        shortest, longest = self.schema["minLength"], self.schema["maxLength"]
        if not shortest <= len(given) <= longest:
            raise ValueError(f"It has to have between {shortest} and {longest} characters.")
        return given


class Choice(Parameter):
    """One of some words; by default the empty one."""

    def __init__(self, name: str, help: str, words: Iterable[str], default: Any = "") -> None:
        super().__init__(name, help, enum=list(words), default=default)

    def read(self, given: str) -> Any:
        """The word."""
        words = self.schema["enum"]
        if given not in words:
            raise ValueError(f"It has to be one of {', '.join(words)}.")
        return given


class Flag(Choice):
    """True or false; by default None."""

    def __init__(self, name: str, help: str) -> None:
        super().__init__(name, help, ("true", "false"), default=None)

    def read(self, given: str) -> bool:
        """Which of them."""
        return bool(super().read(given) == "true")


class Whole(Parameter):
    """A whole number from 1 on.

    Args:
        name: Its name.
        help: What it does.
        default: Where it is left out.
        maximum: The greatest.
    """

    def __init__(self, name: str, help: str, *, default: int, maximum: int) -> None:
        super().__init__(name, help, default=default, type="integer", minimum=1, maximum=maximum)
        self.schema["default"] = default

    def read(self, given: str) -> int:
        """The number, in digits of ASCII."""
        maximum = self.schema["maximum"]
        if given.isascii() and given.isdigit() and len(given) < 10 and 0 < int(given) <= maximum:
            return int(given)
        raise ValueError(f"It has to be a whole number from 1 to {maximum}.")


class Time(Parameter):
    """A moment, in seconds since the epoch; by default None."""

    def __init__(self, name: str, help: str) -> None:
        super().__init__(name, help, default=None, format="date-time")

    def read(self, given: str) -> float:
        """The moment, in UTC where it names no zone."""
        at = iso_time(given)
        if at is None:
            raise ValueError("It has to be a time as ISO 8601 has it: 2026-11-28T12:00:00Z.")
        return at


class Fields(Parameter):
    """``?fields=``: the fields of a representation that are wanted, each once, in its order.

    Args:
        names: Those that there are.
        default: Those where none are named.
    """

    def __init__(self, names: tuple[str, ...], default: tuple[str, ...]) -> None:
        known = "|".join(names)
        super().__init__(
            "fields",
            "The fields wanted, with commas between them; they come in this order.",
            default=default,
            pattern=f"^({known})(,({known}))*$",
        )
        self.known = names

    def read(self, given: str) -> tuple[str, ...]:
        """Their names."""
        names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
        strange = [name for name in names if name not in self.known]
        if strange or not names:
            reason = f"There is no field {strange[0][:60]!r}." if strange else "It names no field."
            raise ValueError(f"{reason} The fields are: {', '.join(self.known)}.")
        return names


class _Project(Parameter):
    def __init__(self) -> None:
        told = "The project that it belongs to; by default this one."
        super().__init__("project", told, maxLength=PROJECT_LENGTH, minLength=1)

    def absent(self) -> str:
        """This one, by the settings as they are then."""
        return str(settings.PROJECT)

    def read(self, given: str) -> str:
        """The name."""
        if not 0 < len(given) <= PROJECT_LENGTH:
            raise ValueError(f"A project's name has between 1 and {PROJECT_LENGTH} characters.")
        return given


def _number(help: str) -> InPath:
    return InPath("id", help, type="integer", format="int64", minimum=1, maximum=GREATEST_ID)


#: Parameters of several views.
PROJECT: Final = _Project()
TASK_ID: Final = InPath(
    "task_id",
    "The task's id, as Celery has it. A slash in it is written as `%2F`.",
    format="z4j-task-id",
)
GROUP_ID: Final = InPath(
    "group_id", "The id of the group or chord, as Celery has it.", format="z4j-group-id"
)
ERROR_ID: Final = InPath("error_id", "The error's id: 16 hexadecimal digits.", format="z4j-error")
QUEUE: Final = InPath("name", "The queue's name.", format="z4j-queue")
SCHEDULE_NAME: Final = InPath(
    "schedule",
    "The schedule's name: of the periodic task, or of the entry of `beat_schedule`. A slash in it "
    "is written as `%2F`.",
    format="z4j-schedule",
)
JOURNAL: Final = InPath(
    "journal",
    "The journal's host and directory, with a colon between them. A slash is written as `%2F`.",
    format="z4j-journal",
)
CONDITION: Final = InPath("condition", "The key of a condition, or `all`.", format="z4j-condition")
SILENCE_ID: Final = InPath("id", "The silence's number.", format="z4j-silence")
CHANNEL: Final = InPath("channel", "The name of the alert channel.", format="z4j-channel")
HOSTNAME: Final = InPath(
    "hostname", "The worker's name, as `celery status` has it.", format="z4j-worker"
)
TASK_NAME: Final = InPath(
    "name",
    "The name of the tasks. A slash in it is written as `%2F`.",
    format="z4j-task-name",
)
DELIVERY: Final = _number("The delivery's number.")
OPERATION: Final = _number("The operation's number.")
SCHEDULE: Final = _number("The number of the periodic task.")
