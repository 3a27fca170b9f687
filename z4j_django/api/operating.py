"""What the views share that act: the body, the operation, and what came of it as a response.

Whoever may act need not be allowed to look. He is told that it was done or refused; in what state
a task was found, or what somebody else had asked for, only if he may view operations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from django.db.models import Model
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, generic, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import Parameter
from z4j_django.api.serializers import operations as serializers
from z4j_django.api.serializers import requests
from z4j_django.api.serializers.strict import Body, is_id
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation

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


class Act(base.View):
    """Does the verb to what its address names.

    Attributes:
        on: The model of what must be on record, if anything.
        column: Its column that the address has.
    """

    on: ClassVar[type[Model] | None] = None
    column: ClassVar[str] = ""
    #: Whether one thing is acted on, whose refusal is an error.
    single: ClassVar[bool] = True

    def act(self, name: str, **options: Any) -> Operation:
        """Do it, as the body says.

        Args:
            name: What the address names.
            **options: The members of the body.
        """
        raise NotImplementedError

    def post(self, request: Request, **path: Any) -> Response:
        """Do it, and tell what came of it."""
        (name,) = path.values()
        options = body_of(request, self.endpoints["post"].body or requests.NoOptions)
        if self.on is not None:
            self._require(self.on, name)
        with refusals_to(request):
            operation = self.act(name, **options)
        return answer(request, operation, single=self.single)

    def _require(self, model: type[Model], value: str) -> None:
        """See that what the address names is on record."""
        rows = model._default_manager.filter(project=self.asked["project"]).only(self.column)
        # Operations take an id without the white space around it: that would be another one.
        known = is_id(value) and value == value.strip()
        if not known or generic.named(rows, self.column, value) is None:
            noun = model._meta.verbose_name
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
    shown = serializers.detail(request, operation)
    if not _may_look(request):
        shown.update(actor="", parameters={}, selection=None, targets=[])
    if single and operation.total == 1 and operation.refused == 1:
        reason = operation.targets.values_list("reason", flat=True).get()
        raise problems.Refused(reason if _may_look(request) else _HIDDEN, shown)
    return Response(shown, status=202, headers={"Location": shown["url"]})


def may_know_of(request: Request, operation: Operation) -> bool:
    """Whether whoever asks may learn that there is this operation."""
    return _may_look(request) or permissions.can(base.actor_of(request), operation.verb)


def _may_look(request: Request) -> bool:
    return permissions.can_view(base.actor_of(request), "operation")
