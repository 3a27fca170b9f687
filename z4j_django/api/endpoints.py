"""What a view does by one method, declared once: what it takes, and what it answers.

From it come the reading of the query, the refusal of what is not known, and the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

from z4j_django.api import problems
from z4j_django.api.parameters import Parameter
from z4j_django.exceptions import FilterError

#: The nouns, in the order of the reference, and what is to be said of each.
TAGS: Final = {
    "attention": "What is wrong now, since when, and what to do.",
    "tasks": "Every task that was published or run, with its timeline and its workflow.",
    "groups": "Groups and chords, with their members.",
    "errors": "Failures by their causes: what is new, what came back, and what it has in common.",
    "releases": "The releases of the project's code that tasks ran in.",
    "statistics": "What happened, counted: over time, of a name, from a queue, or to all.",
    "task-types": "The names of tasks, with what happened to the tasks of each.",
    "queues": "The queues on record, and how many messages wait in each.",
    "workers": "The workers on record, and the health of what records them.",
    "journals": "What waits on each host to be stored; how they stand is told by the health.",
    "schedules": "What beat has to send: when it is due, how it went, and a run by hand.",
    "alerts": "Who is told of what is wrong, and was; and that nobody is for a while.",
    "operations": "What was done, to what, by whom, with what outcome; and many at once.",
    "schema": "This description.",
}
#: Problems that any request may be answered with.
ALWAYS: Final = (400, 401, 403, 406, 429, 503)
#: And one that has a body.
OF_A_BODY: Final = (413, 415)

_JSON: Final = ("application/json",)
#: Mistakes that are told at once, and characters of a name.
_TOLD: Final = 20
_SHOWN: Final = 100


@dataclass(frozen=True)
class Endpoint:
    """One method of a view.

    Attributes:
        id: Its name, such as ``tasks_list``.
        summary: One line, without a full stop.
        description: What more there is to say, in Markdown.
        parameters: Of the path and of the query.
        answer: The serializer of the good answer; of a file its description.
        body: The form of the body that it takes, if any.
        problems: Statuses of the problems that are its own: 404, 409.
        status: Of the good answer.
        media_types: In which the good answer may be had.
        tag: A key of :data:`TAGS`; by default what its name begins with.
    """

    id: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    answer: Any = None
    body: Any = None
    problems: tuple[int, ...] = ()
    status: int = 200
    media_types: tuple[str, ...] = _JSON
    tag: str = ""

    @property
    def noun(self) -> str:
        """Which of :data:`TAGS` it belongs to."""
        return self.tag or self.id.partition("_")[0]

    def read(self, query: QueryDict) -> dict[str, Any]:
        """The value of each parameter of the query, by its name.

        Raises:
            Invalid: If there are others, one comes twice, or a value can't be.
            WrongFilter: If a part of a filter can't be read.
        """
        known = [one for one in self.parameters if one.where == "query"]
        _see_that_they_are(query, known)
        found: dict[str, Any] = {}
        mistakes: list[dict[str, str]] = []
        wrong: dict[str, FilterError] = {}
        for one in known:
            try:
                found[one.name] = one.value(query)
            except problems.WrongFilter as error:
                wrong |= error.terms
            except FilterError as error:
                wrong[one.name] = error
            except ValueError as error:
                mistakes.append({"name": one.name, "reason": str(error)})
        if mistakes:
            raise problems.Invalid(mistakes)
        if wrong:
            raise problems.WrongFilter(wrong)
        return found


def _see_that_they_are(query: QueryDict, parameters: list[Parameter]) -> None:
    """See that a query has no parameter but these, and each but once."""
    known = {name: one for one in parameters for name in one.names}
    mistakes: list[dict[str, str]] = []
    for name, values in query.lists():
        family = f"{name.partition('.')[0]}.*" if "." in name else name
        one = known.get(name) or known.get(family)
        reason = ""
        if one is None:
            there_are = ", ".join(known) or "none"
            reason = f"There is no such parameter; those that there are: {there_are}."
        elif len(values) > 1 and not one.is_repeatable:
            reason = "It is given more than once."
        elif any("\0" in text for text in (name, *values)):
            reason = "It has a NUL character."
        if reason:
            mistakes.append({"name": name[:_SHOWN], "reason": reason})
    if mistakes:
        raise problems.Invalid(mistakes[:_TOLD])
