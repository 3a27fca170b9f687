"""What the views share that act: the body, the operation, and what came of it as a response.

Whoever may act need not be allowed to look. He is told that it was done or refused; in what state
a task was found, or what somebody else had asked for, only if he may view operations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, lists, openapi, problems
from z4j_django.api.serializers import operations as serializers
from z4j_django.api.serializers.strict import Body, is_id
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation

#: The query parameters of what acts on something of a project.
PARAMETERS: Final = ("project",)

#: How the schema describes them, and the answer.
DESCRIBED: Final = (lists.PROJECT, openapi.LOCATION)
ACCEPTED: Final[dict[int | tuple[int, str], Any]] = {202: serializers.OperationDetail}

_VIEW: Final = permissions.view_permission("operation")
_HIDDEN: Final = f"It was refused. Why is for those to read who have the permission {_VIEW}."


def body_of(request: Request, kind: type[Body]) -> dict[str, Any]:
    """The members of a request's body.

    Raises:
        Invalid: If it is no object.
        ValidationError: If a member can't be; it is named.
    """
    data = request.data
    if isinstance(data, QueryDict):  # the framework's own, of a request without a body
        data = {}
    if not isinstance(data, Mapping):
        raise problems.Invalid([{"name": "", "reason": "The body has to be a JSON object."}])
    form = kind(data=data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def require(queryset: QuerySet[Any], column: str, value: str, noun: str) -> None:
    """See that what an address names is on record.

    Args:
        queryset: Where to look.
        column: Which has it but once.
        value: As it stands in the address.
        noun: What it is, for people.

    Raises:
        NotFound: If it is not.
    """
    # Operations take an id without the white space around it: that would be another one.
    if (
        not is_id(value)
        or value != value.strip()
        or lists.named(queryset.only(column), column, value) is None
    ):
        raise problems.NotFound(f"There is no {noun} of this id on record.")


@contextlib.contextmanager
def refusals_to(request: Request) -> Iterator[None]:
    """Has a refusal as a whole tell no more than whoever asks may know.

    Raises:
        Refused: Where the block raised ``OperationError``.
    """
    try:
        yield
    except OperationError as error:
        raise problems.Refused(str(error) if _may_look(request) else _HIDDEN) from error


def answer(request: Request, operation: Operation, *, single: bool = True) -> Response:
    """202 with the operation; it may be over by now, or wait for a worker.

    Args:
        request: Who asked.
        operation: What came of it.
        single: Whether one thing was to be acted on, whose refusal is an error.

    Raises:
        Refused: If that one was refused.
    """
    shown = _representation(request, operation)
    if single and operation.total == 1 and operation.refused == 1:
        reason = operation.targets.values_list("reason", flat=True).get()
        raise problems.Refused(reason if _may_look(request) else _HIDDEN, shown)
    return Response(shown, status=202, headers={"Location": shown["url"]})


def _representation(request: Request, operation: Operation) -> dict[str, Any]:
    """The operation, as far as whoever asks may see it."""
    shown = serializers.detail(request, operation)
    if not _may_look(request):
        shown.update(actor="", parameters={}, selection=None, targets=[])
    return shown


def may_know_of(request: Request, operation: Operation) -> bool:
    """Whether whoever asks may learn that there is this operation."""
    return _may_look(request) or permissions.can(base.actor_of(request), operation.verb)


def _may_look(request: Request) -> bool:
    return permissions.can_view(base.actor_of(request), "operation")


def example(name: str, verb: str, *outcomes: tuple[str, str, str], **fields: Any) -> OpenApiExample:
    """An operation, for the schema.

    Args:
        name: A line that says what it shows.
        verb: What was asked for.
        *outcomes: A target, its outcome, and the reason or what was published, for each.
        **fields: What differs from an operation that is over.
    """
    moment = "2026-11-21T12:00:00.000000Z"
    kind = "queue" if verb in ("purge_queue", "restore") else "task"
    found = [outcome for _, outcome, _ in outcomes]
    names = ("done", "refused", "failed", "unknown", "acting", "pending")
    address = "https://example.com/z4j/api/operations/7/"
    shown = {
        "id": 7,
        "url": address,
        "project": "default",
        "verb": verb,
        "state": "finished",
        "actor": "alice",
        "surface": "api",
        "parameters": {},
        "selection": None,
        "total": len(outcomes),
        "counts": {one: found.count(one) for one in names},
        "created_at": moment,
        "updated_at": moment,
        "finished_at": moment,
        "abort_requested": False,
        "targets_url": f"{address}targets/",
        "targets": [
            {
                "position": place,
                "kind": kind,
                "target": target,
                "outcome": outcome,
                "reason": words if outcome != "done" or kind == "queue" else "",
                "result_id": words if outcome == "done" and kind == "task" else "",
                "at": moment,
            }
            for place, (target, outcome, words) in enumerate(outcomes)
        ],
    }
    return openapi.example(name, {**shown, **fields}, status=202)
