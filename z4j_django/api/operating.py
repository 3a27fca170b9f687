"""What the views share that act: the body, the operation, and what came of it as a response.

Whoever may act need not be allowed to look. He is told that it was done or refused; in what state
a task was found, or what somebody else had asked for, only if he may view operations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import Parameter
from z4j_django.api.serializers import operations as serializers
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.models import Operation

_VIEW: Final = permissions.view_permission("operation")
_HIDDEN: Final = f"It was refused. Why is for those to read who have the permission {_VIEW}."


def members_of(request: Request) -> dict[str, Any]:
    """The members of a request's body.

    Raises:
        Invalid: If it is no object.
    """
    data = request.data
    if isinstance(data, QueryDict):  # the framework's own, of a request without a body
        return {}
    if not isinstance(data, dict):
        raise problems.Invalid([{"name": "", "reason": "The body has to be a JSON object."}])
    return data


def endpoint(
    id: str,
    summary: str,
    description: str,
    *parameters: Parameter,
    body: Any = None,
    problems: tuple[int, ...] = (404, 409),
) -> Endpoint:
    """A POST that answers with an operation; the arguments are those of :class:`Endpoint`."""
    return Endpoint(
        id,
        summary,
        description,
        parameters=parameters,
        answer=serializers.OperationDetail,
        body=body,
        problems=problems,
        status=202,
    )


@contextlib.contextmanager
def refusals_to(request: Request) -> Iterator[None]:
    """Has a refusal as a whole tell no more than whoever asks may know.

    Raises:
        Refused: Where the block raised ``OperationError``.
    """
    try:
        yield
    except OptionsError:  # which tells of nothing that is on record
        raise
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
    shown = serializers.detail(request, operation)
    if not _may_look(request):
        shown.update(actor="", parameters={}, selection=None, published=None, targets=[])
    if single and operation.total == 1 and operation.refused == 1:
        reason = operation.targets.values_list("reason", flat=True).get()
        raise problems.Refused(reason if _may_look(request) else _HIDDEN, shown)
    return Response(shown, status=202, headers={"Location": shown["url"]})


def may_know_of(request: Request, operation: Operation) -> bool:
    """Whether whoever asks may learn that there is this operation."""
    return _may_look(request) or permissions.can(base.actor_of(request), operation.verb)


def _may_look(request: Request) -> bool:
    return permissions.can_view(base.actor_of(request), "operation")
