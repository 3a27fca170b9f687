"""What may be asked for besides: options, declared as structs and read without guessing. Pure.

A struct is the one place where an option stands, with its type, its bounds, its help and what is
there without it. Bodies of the API and their schema, forms of the admin, arguments of commands and
tables of the docs are made from what :func:`described` tells of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType, inspect

from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.values import LONGEST_DELAY

#: How far ahead a moment may lie, and how long a task may be put off.
LONGEST: Final = timedelta(seconds=LONGEST_DELAY)
#: Options that are told to be wrong, and characters of a name that is not known.
_TOLD: Final = 20
_SHOWN: Final = 60
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)

Kind = Literal[
    "text", "number", "whole", "flag", "choice", "moment", "seconds_or_moment", "list", "object"
]
#: Says what is wrong with a value, or nothing.
Check = Callable[[Any], str]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_DELAY)]
Moment = Annotated[datetime, Meta(tz=True)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that belong together; one that was not given is ``UNSET``, or its default.

    Attributes:
        apart: Pairs of which only one may be given.
        some: Those of which one at least has to be; flags count where they are set.
    """

    apart: ClassVar[tuple[tuple[str, str], ...]] = ()
    some: ClassVar[tuple[str, ...]] = ()

    def as_json(self) -> dict[str, Any]:
        """What was given, as :func:`part` reads it again."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in shown.items() if value is not False}


T = TypeVar("T", bound=Options)
V = TypeVar("V")


def option(
    help: str,
    *,
    label: str = "",
    argument: str = "",
    metavar: str = "",
    check: Check | None = None,
    once: bool = False,
    prefix: str = "",
    secret: bool = False,
    **schema: Any,
) -> Meta:
    """What stands beside the type of an option.

    Args:
        help: What it does, with its unit and what is there without it.
        label: Its name on a form; by default its own.
        argument: What commands and forms call it where its own name is a filter's.
        metavar: What a command's help calls its value.
        check: What else has to hold of a value.
        once: Whether it can't be said of many targets: it is not kept as it was given.
        prefix: What its choices begin with; people may leave it out, and write small letters.
        secret: Whether it is kept sealed, and never shown.
        **schema: More of JSON schema.
    """
    extra = {
        "label": label,
        "argument": argument,
        "metavar": metavar,
        "check": check,
        "once": once,
        "prefix": prefix,
        "secret": secret,
    }
    return Meta(description=help, extra=extra, extra_json_schema=schema or None)


@dataclass(frozen=True)
class Option:
    """An option, as a surface needs to know it.

    Attributes:
        name: Its name.
        type: Its type, for msgspec.
        kind: What its values look like.
        help: What it does.
        label: Its name on a form.
        argument: Its name where its own is a filter's.
        metavar: What stands for its value.
        check: What else has to hold of a value.
        once: Whether it can't be said of many targets.
        prefix: What its choices begin with, and may be given without.
        secret: Whether it is kept sealed, and never shown.
        required: Whether it has to be given.
        default: What is there without it; ``UNSET`` for nothing.
        bounds: The least and the greatest number, or number of characters.
        choices: All that there are.
    """

    name: str
    type: Any
    kind: Kind
    help: str
    label: str
    argument: str
    metavar: str
    check: Check | None
    once: bool
    prefix: str
    secret: bool
    required: bool
    default: Any
    bounds: tuple[Any, Any]
    choices: tuple[str, ...]

    def spelled(self, text: str) -> str:
        """The choice that a person means who leaves out what all begin with, or the capitals."""
        if not self.prefix:
            return text
        return self.prefix + text.strip().upper().removeprefix(self.prefix)

    @property
    def expected(self) -> str:
        """What its values look like, in words."""
        least, most = self.bounds
        if self.kind in ("number", "whole"):
            noun = "a whole number" if self.kind == "whole" else "a number"
            return noun if most is None else f"{noun} from {_digits(least)} to {_digits(most)}"
        if self.kind == "text":
            return "a text" if most is None else f"a text of {least or 0} to {most} characters"
        if self.kind == "choice":
            return f"one of: {', '.join(self.choices)}"
        return _EXPECTED[self.kind].format(most=_digits(LONGEST_DELAY))

    def read(self, value: Any, zone: tzinfo | None = None) -> Any:
        """A value, if it can be.

        Args:
            value: As JSON has it, or Python.
            zone: That of a moment without an offset, where people may leave that out; without it
                such a moment is refused, and so is a choice without its prefix.

        Raises:
            ValueError: If not; the message is a sentence.
        """
        if self.kind in ("moment", "seconds_or_moment") and isinstance(value, str | datetime):
            value = _moment(value, zone)
        elif self.kind == "whole" and isinstance(value, float) and value.is_integer():
            value = int(value)  # 2.0 is one, in JSON
        elif self.prefix and zone is not None and isinstance(value, str):
            value = self.spelled(value)
        try:
            found = msgspec.convert(value, self.type)
        except (msgspec.ValidationError, OverflowError):
            found = UNSET
        if found is UNSET:
            raise ValueError(f"This has to be {self.expected}.")
        if self.check is not None and (wrong := self.check(found)):
            raise ValueError(wrong)
        return found


_EXPECTED: Final = {
    "flag": "true or false",
    "moment": "a moment with its offset, such as 2026-11-01T12:00:00Z",
    "seconds_or_moment": "a number of seconds from 0 to {most}, or a moment with its offset, "
    "such as 2026-11-01T12:00:00Z",
    "list": "a list: [ … ]",
    "object": "an object: {{ … }}",
}
_KINDS: Final[Mapping[Any, Kind]] = {
    inspect.StrType: "text",
    inspect.FloatType: "number",
    inspect.IntType: "whole",
    inspect.BoolType: "flag",
    inspect.LiteralType: "choice",
    inspect.DateTimeType: "moment",
    inspect.UnionType: "seconds_or_moment",
    inspect.ListType: "list",
    inspect.DictType: "object",
}


@functools.cache
def described(kind: type[Options]) -> Mapping[str, Option]:
    """The options of a struct by their names, in their order."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    told: Any = inspect.type_info(kind)
    return {field.name: _option(field, types[field.name]) for field in told.fields}


def read(kind: type[T], given: Mapping[str, Any], zone: tzinfo | None = None) -> T:
    """Options, as they were given.

    Args:
        kind: Which there are.
        given: Their values by their names.
        zone: As :meth:`Option.read` takes it.

    Raises:
        OptionsError: If one is not known, or can't be, or does not go with another.
    """
    known = described(kind)
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in given.items():
        try:
            found[name] = known[name].read(value, zone)
        except KeyError:
            names = ", ".join(known) or "none"
            wrong[str(name)[:_SHOWN]] = f"There is no such option; those that there are: {names}."
        except ValueError as error:
            wrong[name] = str(error)
    for name, one in known.items():
        if one.required and name not in given:
            wrong[name] = "This is required."
    for first, second in kind.apart:
        if first in found and second in found:
            wrong[second] = f"Give either {first} or {second}, not both."
    if kind.some and not any(found.get(name, False) is not False for name in kind.some):
        wrong.setdefault(kind.some[0], f"Give {' or '.join(kind.some)}.")
    if wrong:
        raise OptionsError(dict(sorted(wrong.items())[:_TOLD]))
    return kind(**found)


def part(kind: type[T], shown: Mapping[str, Any]) -> T:
    """The options of a struct among others, such as those that ``as_json`` wrote down.

    Raises:
        OptionsError: If one can't be.
    """
    known = described(kind)
    return read(kind, {name: shown[name] for name in known if name in shown})


def schema(*kinds: type[Options], in_bulk: bool = False) -> dict[str, Any]:
    """The JSON schema of an object with the options of some structs.

    Args:
        *kinds: The structs.
        in_bulk: Leave out what can't be said of many targets.
    """
    known = [
        one for kind in kinds for one in described(kind).values() if not (in_bulk and one.once)
    ]
    found: dict[str, Any] = {
        "type": "object",
        "properties": {one.name: _schema(one) for one in known},
        "additionalProperties": False,
    }
    if required := [one.name for one in known if one.required]:
        found["required"] = required
    wrong: list[dict[str, Any]] = [
        {"required": list(pair)} for kind in kinds for pair in kind.apart
    ]
    wrong += [none_of(kind, *kind.some) for kind in kinds if kind.some]
    if wrong:
        found["not"] = {"anyOf": wrong}
    return found


def none_of(kind: type[Options], *names: str) -> dict[str, Any]:
    """The JSON schema of an object that says none of some options; a flag that is off says none."""
    known = described(kind)
    said = [
        {"required": [name]}
        if known[name].kind != "flag"
        else {"required": [name], "properties": {name: {"type": "boolean", "enum": [True]}}}
        for name in names
    ]
    return {"not": {"anyOf": said}}


def meant(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without what Python says for nothing: ``None``."""
    return {name: value for name, value in options.items() if value is not None}


def given(value: V | UnsetType, default: Any = None) -> Any:
    """The value of an option, or what is there without it."""
    return default if value is UNSET else value


def require_near(options: Options, now: datetime) -> None:
    """See that no moment lies further ahead than :data:`LONGEST`.

    Raises:
        OperationError: If one does; it is a refusal, for a moment later it would have been none.
    """
    for name in described(type(options)):
        value = getattr(options, name)
        if isinstance(value, datetime) and value - now > LONGEST:
            raise OperationError(f"{name}: {value.isoformat()} is more than a year ahead.")


def _schema(one: Option) -> dict[str, Any]:
    found = msgspec.json.schema(one.type)
    return found if one.default is UNSET else {**found, "default": one.default}


def _option(field: inspect.Field, type_: Any) -> Option:
    inner: Any = field.type
    schema: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    while isinstance(inner, inspect.Metadata):
        schema = {**(inner.extra_json_schema or {}), **schema}
        extra = {**(inner.extra or {}), **extra}
        inner = inner.type
    is_text = isinstance(inner, inspect.StrType)
    least, most = ("min_length", "max_length") if is_text else ("ge", "le")
    default = UNSET if field.default is msgspec.NODEFAULT else field.default
    return Option(
        name=field.name,
        type=type_,
        kind=_KINDS[type(inner)],
        help=schema["description"],
        label=extra.get("label") or field.name.replace("_", " ").capitalize(),
        argument=extra.get("argument") or field.name,
        metavar=extra.get("metavar") or field.name.upper(),
        check=extra.get("check"),
        once=bool(extra.get("once")),
        prefix=extra.get("prefix") or "",
        secret=bool(extra.get("secret")),
        required=field.required,
        default=default,
        bounds=(getattr(inner, least, None), getattr(inner, most, None)),
        # As they were declared; what msgspec tells of them is sorted.
        choices=get_args(get_args(type_)[0]) if isinstance(inner, inspect.LiteralType) else (),
    )


def _moment(value: str | datetime, zone: tzinfo | None) -> Any:
    """A moment in UTC; one beyond the calendar's ends is its end, and what is none stays."""
    moment = value
    if isinstance(moment, str):
        if zone is None and not _RFC_3339.fullmatch(moment):
            return UNSET
        try:
            moment = datetime.fromisoformat(moment.strip().upper())
        except ValueError:
            return UNSET
    if moment.tzinfo is None:
        if zone is None:
            return UNSET
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        end = datetime.min if moment.year == datetime.min.year else datetime.max
        return end.replace(tzinfo=UTC)


def _digits(number: float) -> str:
    return f"{number:,.10g}"
