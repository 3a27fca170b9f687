"""Many tasks at once: look first, then act; and stop what was begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from django.core.exceptions import PermissionDenied
from django.urls import path
from msgspec import UNSET
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations, options, permissions, verb_options, verbs
from z4j_django.api import base, bodies, fields, generic, operating, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import OPERATION, PROJECT
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.api.views import operations as reading
from z4j_django.exceptions import FilterError
from z4j_django.operations import asking, bulk_operations
from z4j_django.options import described
from z4j_django.queries import filter as filters
from z4j_django.queries import operations as queries
from z4j_django.queries.selection import Selection


class _Asked(fields.Moment):
    """A moment that is written down as a text."""

    def to_representation(self, value: str) -> str | None:
        return super().to_representation(datetime.fromisoformat(value))


class PreviewSerializer(serializers.Serializer[Any]):
    """The tasks that a filter finds now."""

    count = serializers.IntegerField(
        help_text="How many there are, at most `Z4J['BULK_LIMIT']`: 10,000 by default."
    )
    capped = serializers.BooleanField(
        help_text="Whether there are more than that; the newest are taken."
    )
    sample = TaskSerializer(
        many=True, help_text=f"The newest of them, {bulk_operations.SAMPLE} at most."
    )
    filter = serializers.CharField(
        source="selection.search", help_text="The filter; to be sent back as it is."
    )
    until = serializers.IntegerField(
        source="selection.until",
        help_text="The newest row that it takes; to be sent back as it is.",
    )
    asked_at = _Asked(
        source="selection.asked_at",
        help_text="The moment from which its ages count; to be sent back as it is.",
    )


_TASKS: Final = "taskrecord"
#: Members of a body that are no options of its verb.
_BESIDE: Final = {*described(bodies.Targets), *described(verb_options.BulkOptions)}


class OperationsView(reading.OperationsView):
    """``operations/``: what was done; and many at once."""

    verb = "bulk"
    endpoints: ClassVar = {
        **reading.OperationsView.endpoints,
        "post": operating.endpoint(
            "operations_create",
            "Retry, cancel or terminate many tasks",
            "By their ids, or by a filter that is frozen when it is asked for: what comes later "
            "stays out. `filter`, `until` and `asked_at` of a preview, sent back as they are, name "
            "what was previewed. Up to 100 tasks are done before the answer; more, or any number "
            "with a rate, by a worker: follow `url`. Wants the permission of the verb, too, and "
            "with a filter that to view tasks.",
            PROJECT,
            body=bodies.bulk_forms(),
            problems=(409,),
        ),
    }

    def post(self, request: Request) -> Response:
        """Do it, or leave it to a worker."""
        members = dict(operating.members_of(request))
        verb = _verb(members.pop("verb", None))
        permissions.require(request.user, verb)
        chosen = bodies.targets_of(members)
        pace = options.part(verb_options.BulkOptions, members).as_json()
        given = {name: one for name, one in members.items() if name not in _BESIDE}
        # None of them is anything but an option from here on.
        asking.options_of(verb, given, surface="api", in_bulk=True)
        with operating.refusals_to(request):
            operation = operations.bulk(
                verb, actor=request.user, surface="api", **self._targets(chosen), **pace, **given
            )
        return operating.answer(request, operation, single=False)

    def _targets(self, chosen: bodies.Targets) -> dict[str, Any]:
        project = self.asked["project"]
        if chosen.filter is UNSET:
            return {"task_ids": chosen.task_ids, "project": project}
        if not self.sees(_TASKS):  # what it finds tells something of every task
            raise PermissionDenied(base.missing(_TASKS))
        return {"selection": _selection(chosen, project)}


class PreviewView(generic.Shown):
    """``operations/preview/``; it shows tasks, which is a permission of its own."""

    verb = "bulk"
    also = _TASKS
    endpoints: ClassVar = {
        "post": Endpoint(
            "operations_preview",
            "Look at what a filter would act on",
            "Does nothing. `filter`, `until` and `asked_at` are to be sent back as they are: the "
            "operation then takes these tasks and none that came meanwhile.",
            parameters=(PROJECT,),
            answer=PreviewSerializer,
            body=bodies.Matching,
            problems=(409,),
        )
    }

    def post(self, request: Request) -> Response:
        """Count them, and show some."""
        asked = options.read(bodies.Matching, operating.members_of(request))
        with operating.refusals_to(request):
            seen = operations.preview(_selection(asked, self.asked["project"]))
        return self.answer(seen)


class AbortView(base.View):
    """``operations/{id}/abort/``."""

    endpoints: ClassVar = {
        "post": operating.endpoint(
            "operations_abort",
            "Stop an operation",
            "Before its next target; what is done stays done. Wants the permission of its verb. "
            "One that is over is refused.",
            OPERATION,
        )
    }

    def refuses(self, request: Request) -> str | None:
        """It wants the permission of what the operation does, which is not known yet."""
        if permissions.verbs_of(base.actor_of(request)):
            return None
        return "The permission to do what the operation does is missing."

    def post(self, request: Request, id: int) -> Response:
        """Ask for its abort."""
        options.read(verb_options.NoOptions, operating.members_of(request))
        found = queries.find(id)
        if found is None or not operating.may_know_of(request, found):
            raise problems.NotFound("There is no operation of this number.")
        with operating.refusals_to(request):
            operation = operations.abort(id, actor=request.user)
        return operating.answer(request, operation, single=False)


def _verb(name: Any) -> str:
    """The verb that a body names."""
    can = [verb.name for verb in verbs.in_bulk()]
    if name not in can:
        reason = f"This has to be one of: {', '.join(can)}."
        raise problems.Invalid([{"name": "verb", "reason": reason}])
    return str(name)


def _selection(asked: bodies.Matching | bodies.Targets, project: str) -> Selection:
    """The tasks that a body names by its filter."""
    text = str(asked.filter)
    try:
        filters.parse(text)
    except FilterError as error:
        raise problems.WrongFilter({"filter": error}) from None
    if isinstance(asked, bodies.Matching):
        return Selection(project=project, search=text)
    asked_at = fields.moment(options.given(asked.asked_at)) or ""
    return Selection(
        project=project, search=text, until=options.given(asked.until), asked_at=asked_at
    )


urlpatterns = [
    path("operations/", OperationsView.as_view(), name="operations"),
    path("operations/preview/", PreviewView.as_view(), name="operations-preview"),
    path("operations/<z4jnumber:id>/abort/", AbortView.as_view(), name="operation-abort"),
]
