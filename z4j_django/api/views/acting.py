"""One route for each verb, made from its declaration."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model, QuerySet
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations, verb_options, verbs
from z4j_django.api import base, generic, operating, problems
from z4j_django.api.parameters import (
    CHANNEL,
    CONDITION,
    ERROR_ID,
    GROUP_ID,
    HOSTNAME,
    JOURNAL,
    PROJECT,
    QUEUE,
    SCHEDULE_NAME,
    SILENCE_ID,
    TASK_ID,
    Parameter,
)
from z4j_django.models import ErrorGroup, GroupRecord, TaskRecord, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.values import of_error_id


@dataclass(frozen=True)
class _Noun:
    """What verbs act on.

    Attributes:
        address: The first part of its addresses.
        parameter: Which names it in them.
        model: Of what must be on record, if anything.
        find: Finds it among the rows of its project, by what the address says.
        single: Whether one thing is acted on, whose refusal is an error.
    """

    address: str
    parameter: Parameter
    model: type[Model] | None = None
    find: Callable[[QuerySet[Any], str], Any] | None = None
    single: bool = True


def _error(rows: QuerySet[ErrorGroup], error_id: str) -> ErrorGroup | None:
    return rows.filter(fingerprint=of_error_id(error_id) or 0).first()


_NOUNS: Final[dict[str, _Noun]] = {
    "task": _Noun("tasks", TASK_ID, TaskRecord),
    "group": _Noun("groups", GROUP_ID, GroupRecord, single=False),
    "queue": _Noun("queues", QUEUE),
    "error": _Noun("errors", ERROR_ID, ErrorGroup, _error),
    "journal": _Noun("journals", JOURNAL),
    "schedule": _Noun("schedules", SCHEDULE_NAME),
    "worker": _Noun("workers", HOSTNAME, WorkerRecord),
    "alert": _Noun("alerts", CONDITION),
    "silence": _Noun("alerts/silences", SILENCE_ID),
    "channel": _Noun("alerts/channels", CHANNEL),
}


class VerbView(base.View):
    """Does a verb to what its address names."""

    noun: Any = None

    def post(self, request: Request, **path: Any) -> Response:
        """Do it, as the body says, and tell what came of it."""
        (name,) = path.values()
        options = operating.members_of(request)
        how: dict[str, Any] = {}
        if self.noun.model is not None:
            how["project"] = self.asked["project"]
            self._require(self.noun.model, name)
        with operating.refusals_to(request):
            operation = operations.perform(
                self.verb, name, options, actor=request.user, surface="api", **how
            )
        return operating.answer(request, operation, single=self.noun.single)

    def _require(self, model: type[Model], value: str) -> None:
        """See that what the address names is on record."""
        column = self.noun.parameter.name
        rows = primary(model).filter(project=self.asked["project"])
        if self.noun.find is not None:
            found = self.noun.find(rows, value)
        else:
            found = generic.named(rows.only(column), column, value)
        # Operations take an id without the white space around it: that would be another one.
        if value != value.strip() or found is None:
            noun = model._meta.verbose_name
            raise problems.NotFound(f"There is no {noun} of this id on record.")


def routes() -> list[Any]:
    """The address of each verb: ``tasks/{task_id}/retry/``."""
    return [_route(verb) for verb in verbs.VERBS.values()]


def _route(verb: verbs.Verb) -> Any:
    noun = _NOUNS[verb.noun]
    word = re.sub(f"_{verb.noun}s?$", "", verb.name)
    on_record = noun.model is not None
    endpoint = operating.endpoint(
        f"{noun.address.replace('/', '_')}_{word}",
        verb.summary,
        f"{verb.about} {verb.more}".strip(),
        noun.parameter,
        *((PROJECT,) if on_record else ()),
        body=None if verb.options is verb_options.NoOptions else verb.options,
        problems=(404, 409) if on_record else (409,),
    )
    members = {"verb": verb.name, "noun": noun, "endpoints": {"post": endpoint}}
    view: Any = type("VerbView", (VerbView,), members)
    address = f"{noun.address}/<z4j:{noun.parameter.name}>/{word}/"
    return path(address, view.as_view(), name=f"{verb.noun}-{word}")


urlpatterns = routes()
