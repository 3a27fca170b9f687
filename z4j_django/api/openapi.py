"""How the views describe themselves in the schema.

A view says what it does with :func:`operation`; what all of them share, such as the problems that
any request may meet and the headers of what can be asked for again, is said here once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from drf_spectacular import openapi
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)

from z4j_django.api import answers
from z4j_django.values import SHORT

_F = TypeVar("_F", bound=Callable[..., Any])

#: The nouns, in the order of the reference, and what is to be said of each.
TAGS: Final = {
    "tasks": "Every task that was published or run, with its timeline and its workflow.",
    "groups": "Groups and chords, with their members.",
    "queues": "The queues on record, and how many messages wait in each.",
    "workers": "The workers on record, and the health of what records them.",
    "schedules": "The periodic tasks of django-celery-beat.",
    "operations": "What was done, to what, by whom, with what outcome; and many at once.",
    "schema": "This description.",
}

#: What a text of the query has to be: no database stores a NUL.
_STORABLE: Final = r"^[^\u0000]*$"


def parameter(
    name: str,
    description: str,
    *,
    kind: str = "string",
    example: Any = None,
    where: str = OpenApiParameter.QUERY,
    required: bool = False,
    default: Any = None,
    enum: Sequence[Any] | None = None,
    **schema: Any,
) -> OpenApiParameter:
    """A parameter of the query or the path.

    Args:
        name: Its name.
        description: What it does, with the unit of what it takes.
        kind: Its JSON type.
        example: A value that works.
        where: ``query``, ``path`` or ``header``.
        required: Whether a request without it is refused; those of a path are.
        default: What stands where it is left out.
        enum: All that it takes.
        schema: More of JSON schema, in OpenAPI's names: ``format``, ``minimum``, ``maxLength``.
    """
    shape: dict[str, Any] = {"type": kind, **schema}
    if (
        kind == "string"
        and where != OpenApiParameter.HEADER
        and not {"format", "pattern"} & shape.keys()
    ):
        shape["pattern"] = _STORABLE
    if enum is not None:
        shape["enum"] = list(enum)
    if default is not None:
        shape["default"] = default
    shown = None if example is None else [OpenApiExample(str(example), value=example)]
    return OpenApiParameter(
        name,
        type=shape,
        location=where,  # type: ignore[arg-type]  # one of three words
        required=required or where == OpenApiParameter.PATH,
        description=description,
        examples=shown,
    )


def in_path(name: str, description: str, example: Any, **schema: Any) -> OpenApiParameter:
    """A parameter of the path; see :func:`parameter`."""
    text: dict[str, Any] = {} if "kind" in schema else {"maxLength": SHORT, "minLength": 1}
    return parameter(
        name, description, example=example, where=OpenApiParameter.PATH, **text, **schema
    )


#: Parameters that several routes have.
TASK_ID: Final = in_path(
    "task_id",
    "The task's id, as Celery has it. A slash in it is written as `%2F`.",
    "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    format="z4j-task-id",
)
GROUP_ID: Final = in_path(
    "group_id",
    "The id of the group or chord, as Celery has it.",
    "0b9d3c1e-77a4-4f7e-9d3a-2a6c5e8f4b22",
    format="z4j-group-id",
)
QUEUE: Final = in_path("name", "The queue's name.", "mail", format="z4j-queue")
HOSTNAME: Final = in_path(
    "hostname", "The worker's name, as `celery status` has it.", "w1@shop", format="z4j-worker"
)
OPERATION: Final = in_path(
    "id", "The operation's number.", 7, kind="integer", format="int64", minimum=1, maximum=2**63 - 1
)
SCHEDULE: Final = in_path(
    "id",
    "The number of the periodic task.",
    1,
    kind="integer",
    format="int64",
    minimum=1,
    maximum=2**63 - 1,
)


def header(
    name: str, description: str, example: str, *, statuses: Iterable[int], **schema: Any
) -> OpenApiParameter:
    """A header of the responses with these statuses; goes among an operation's parameters."""
    return OpenApiParameter(
        name,
        type={"type": "string", **schema},
        location=OpenApiParameter.HEADER,
        description=description,
        examples=[OpenApiExample(example, value=example)],
        response=list(statuses),
    )


#: Where what a POST has made can be read.
LOCATION: Final = header(
    "Location",
    "The operation's address.",
    "https://example.com/z4j/api/operations/7/",
    statuses=(202,),
    format="uri",
)
_IF_NONE_MATCH: Final = parameter(
    "If-None-Match",
    "The `ETag` of an answer that you have. Where nothing has changed, the answer is 304.",
    example='W/"5d1f7c0f7a6b4f0f"',
    where=OpenApiParameter.HEADER,
)
_ETAG: Final = header(
    "ETag", "Stands for this answer.", 'W/"5d1f7c0f7a6b4f0f"', statuses=(200, 304)
)
_AGAIN: Final = (_IF_NONE_MATCH, _ETAG)
_UNCHANGED: Final = {304: OpenApiResponse(description="Nothing has changed.")}
_RETRY_AFTER: Final = header("Retry-After", "Seconds to wait.", "7", statuses=(429,))


def example(
    name: str, value: Any, *, status: int = 200, request: bool = False, description: str = ""
) -> OpenApiExample:
    """An example of an answer, or of a request's body.

    Args:
        name: A line that says what it shows.
        value: The body, whole.
        status: Of the answer.
        request: Whether it is a request's.
        description: What more there is to say.
    """
    return OpenApiExample(
        name,
        value=value,
        summary=name,
        description=description,
        request_only=request,
        response_only=not request,
        status_codes=None if request else [str(status)],
    )


def operation(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    description: str,
    responses: Mapping[int | tuple[int, str], Any],
    parameters: Sequence[OpenApiParameter] = (),
    request: Any = None,
    problems: Sequence[int] = (),
    examples: Sequence[OpenApiExample] = (),
    has_etag: bool = True,
) -> Callable[[_F], _F]:
    """Decorates a view's ``get`` or ``post`` with what the schema says of it.

    Args:
        operation_id: Such as ``tasks_list``.
        tag: A key of :data:`TAGS`.
        summary: One line, without a full stop.
        description: What more there is to say, in Markdown.
        responses: The good ones: serializers by status, or by status and media type.
        parameters: Of the path and the query, and the responses' headers.
        request: The serializer of the body, if there is one.
        problems: Statuses of problems beside those that every operation has: 404, 409.
        examples: Made by :func:`example`; at least one of each body.
        has_etag: Whether the answers to a ``get`` can be asked for again; streams can't.
    """

    def decorate(method: _F) -> _F:
        # What it is told to extend; without it, whatever DEFAULT_SCHEMA_CLASS of the project says.
        vars(method)["kwargs"] = {"schema": AutoSchema}
        asked_again = method.__name__ == "get" and has_etag
        statuses = (*problems, *(answers.BODY if method.__name__ == "post" else ()))
        described: Callable[[_F], _F] = extend_schema(
            operation_id=operation_id,
            tags=[tag],
            summary=summary,
            description=description,
            parameters=[*parameters, _RETRY_AFTER, *(_AGAIN if asked_again else ())],
            request=request,
            responses={
                **responses,
                **(_UNCHANGED if asked_again else {}),
                **answers.problems(*statuses),
            },
            examples=[*_of_their_media(examples, responses)],
        )
        return described(method)

    return decorate


def _of_their_media(
    examples: Iterable[OpenApiExample], responses: Mapping[int | tuple[int, str], Any]
) -> Iterator[OpenApiExample]:
    """The examples, each with the media type of the answer that it belongs to."""
    media = {str(key[0]): key[1] for key in responses if isinstance(key, tuple)}
    for one in examples:
        found = copy.copy(one)
        found.media_type = next(
            (media[code] for code in one.status_codes or () if code in media), None
        )
        yield found


class AutoSchema(openapi.AutoSchema):
    """``View.schema``. A serializer says with ``is_sparse = True`` that any field may be absent."""

    def _get_format_parameters(self) -> list[Any]:
        """None: the form is chosen by the ``Accept`` header alone."""
        return []

    def _postprocess_serializer_schema(
        self, schema: dict[str, Any], serializer: Any, direction: str
    ) -> dict[str, Any]:
        parent: Any = super()
        found: dict[str, Any] = parent._postprocess_serializer_schema(schema, serializer, direction)
        if getattr(serializer, "is_sparse", False):
            found.pop("required", None)
        return found
