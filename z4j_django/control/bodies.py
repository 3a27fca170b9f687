"""What is in the body of a task message, for the serializers that are data and nothing else.

A pickled body is never opened: loading it would run whatever its sender wrote.
"""

from __future__ import annotations

import inspect
import json
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final

import celery
from kombu.exceptions import KombuError
from kombu.serialization import registry
from kombu.utils import json as kombu_json

from z4j_django.agent import chosen_reprs
from z4j_django.exceptions import OperationError
from z4j_django.secrets import masking

JSON: Final = "application/json"
#: Serializers of kombu's that load plain data, by content type.
_KOMBUS: Final = {"application/x-yaml": "yaml", "application/x-msgpack": "msgpack"}
#: What kombu's JSON marks, and makes again without any code of the project's.
_MARKED: Final = ("datetime", "date", "time", "decimal", "uuid")
_PICKLES: Final = ("application/x-python-serialize", "application/data")

#: Apps whose task modules were imported for a look at a task.
_loaded: Final[weakref.WeakSet[celery.Celery]] = weakref.WeakSet()
#: Arguments, keyword arguments, and callbacks, chain and chord as task protocol 2 embeds them.
Body = tuple[list[Any], dict[str, Any], dict[str, Any]]


def is_pickled(content_type: str) -> bool:
    """Whether a body of this type can't be looked into without running it."""
    return content_type in _PICKLES


def decode(body: bytes, content_type: str, content_encoding: str) -> Body:
    """What a body says.

    JSON comes as it is written: what kombu marks as a date or a UUID stays marked, so that
    :func:`encode` writes the same again.

    Args:
        body: In the serializer's own bytes, uncompressed.
        content_type: Of the message.
        content_encoding: Of the message.

    Raises:
        OperationError: If it can't be read; the message says why.
    """
    if is_pickled(content_type):
        raise OperationError(
            "Its body is pickled, and is never unpickled here: it can be sent again as it is, "
            "and not be changed."
        )
    if content_type != JSON and content_type not in _KOMBUS:
        raise OperationError(f"Its body is of the type {content_type!r}, which can't be read here.")
    try:
        found = _load(body, content_type, content_encoding)
    except (KombuError, ValueError, LookupError, RecursionError) as error:
        raise OperationError(f"Its body can't be read: {type(error).__name__}.") from error
    match found:
        case [list() | tuple() as args, dict() as kwargs, dict() as embed]:
            return list(args), kwargs, embed
        case [list() | tuple() as args, dict() as kwargs, None]:
            return list(args), kwargs, {}
    raise OperationError("Its body is not that of task protocol 2.")


def encode(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    embed: Mapping[str, Any],
    content_type: str,
    content_encoding: str,
) -> bytes:
    """A body that says this.

    Args:
        args: Arguments.
        kwargs: Keyword arguments.
        embed: Callbacks, chain and chord.
        content_type: Of the message; one that :func:`decode` reads.
        content_encoding: Of the message.

    Raises:
        OperationError: If the serializer can't write it.
    """
    whole = [list(args), dict(kwargs), dict(embed)]
    try:
        if content_type == JSON:
            return json.dumps(whole).encode(content_encoding or "utf-8")
        _, _, body = registry.dumps(whole, serializer=_KOMBUS[content_type])
    except (KombuError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise OperationError(
            f"The message's serializer ({content_type}) can't write it: {error}"
        ) from error
    return body.encode(content_encoding or "utf-8") if isinstance(body, str) else bytes(body)


def check_arguments(
    app: celery.Celery, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """See that a task can be called like this, if the task is known here.

    Args:
        app: The project's app.
        name: The task's name.
        args: Arguments.
        kwargs: Keyword arguments.

    Raises:
        OperationError: If not; the message names what is wrong.
    """
    task = _task(app, name)
    signature = _signature(task) if task is not None and task.typing else None
    if signature is None:
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        shown = signature.replace(
            parameters=[_bare(parameter) for parameter in signature.parameters.values()],
            return_annotation=inspect.Signature.empty,
        )
        raise OperationError(f"{name}{shown} can't be called like this: {error}.") from None


def parameter_names(app: celery.Celery, name: str, count: int) -> list[str]:
    """The names that a task's first positional arguments go by, if the task is known here.

    Args:
        app: The project's app.
        name: The task's name.
        count: How many arguments there are; those that ``*args`` takes all go by its name.
    """
    signature = _signature(_task(app, name))
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = list(signature.parameters.values()) if signature is not None else []
    names = [parameter.name for parameter in found if parameter.kind in kinds]
    rest = [one.name for one in found if one.kind is inspect.Parameter.VAR_POSITIONAL]
    return [*names, *rest * (count - len(names))][:count]


def repr_header(
    app: celery.Celery, shown: Any, old: Sequence[Any] | Mapping[str, Any], new: Any
) -> str:
    """The header ``argsrepr`` or ``kwargsrepr`` of arguments that were changed.

    Args:
        app: The project's app.
        shown: The header as it was.
        old: The arguments that it came with, as :func:`decode` reads them.
        new: Those that take their place, of the same kind.

    Returns:
        What Celery would write; of what the publisher had hidden, that it is hidden.
    """
    before, after = map(unmarked_inside, (old, new))
    if shown and isinstance(shown, str) and chosen_reprs.is_chosen(shown, before, app=app):
        return masking.MASK
    return chosen_reprs.computed(app, tuple(after) if isinstance(after, list) else after)


def unmarked(value: Any) -> Any:
    """What kombu's JSON marks as a moment, a decimal or a UUID, as such; anything else itself."""
    is_marked = isinstance(value, dict) and value.keys() == {"__type__", "__value__"}
    if not is_marked or value["__type__"] not in _MARKED:
        return value
    try:
        return kombu_json.object_hook(value)
    except (TypeError, ValueError, ArithmeticError):
        return value


def unmarked_inside(value: Any) -> Any:
    """The same of all that is in lists and mappings."""
    if isinstance(found := unmarked(value), dict):
        return {key: unmarked_inside(part) for key, part in found.items()}
    return [unmarked_inside(item) for item in found] if isinstance(found, list) else found


class _Default:
    """Stands for a default, which may be a secret."""

    def __repr__(self) -> str:
        return "…"


def _bare(parameter: inspect.Parameter) -> inspect.Parameter:
    has_default = parameter.default is not inspect.Parameter.empty
    return parameter.replace(
        annotation=inspect.Parameter.empty,
        default=_Default() if has_default else inspect.Parameter.empty,
    )


def _task(app: celery.Celery, name: str) -> Any:
    """The task of that name, or ``None`` where it is not known here."""
    task = app.tasks.get(name)
    if task is None and app not in _loaded:
        _loaded.add(app)  # once: under Django it runs all system checks
        app.loader.import_default_modules()
        task = app.tasks.get(name)
    return task


def _signature(task: Any) -> inspect.Signature | None:
    if task is None:
        return None
    try:
        return inspect.signature(task.run)
    except (TypeError, ValueError):
        return None


def _load(body: bytes, content_type: str, content_encoding: str) -> Any:
    if content_type == JSON:
        return json.loads(body.decode(content_encoding or "utf-8"))
    return registry.loads(body, content_type, content_encoding, accept={content_type})
