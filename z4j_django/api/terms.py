"""The filter as parameters of the query.

``?state=FAILURE&name=shop.*`` means what ``?q=state:FAILURE name:shop.*`` does; all that is given
has to hold, a parameter that is given twice too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Any, Final

from django.http import QueryDict
from django.utils import timezone

from z4j_django.api import problems
from z4j_django.api.parameters import Choice, Parameter
from z4j_django.exceptions import FilterError
from z4j_django.queries import filter as filters
from z4j_django.queries.filter import words

#: Terms that go on with a path, which the name of the parameter holds: ``kwargs.user_id``.
FAMILIES: Final = ("args", "kwargs")
#: The parameter that takes the whole grammar.
WHOLE: Final = "q"

_SINGLE: Final = tuple(name for name in filters.TERMS if name not in FAMILIES)
_OF_TEXT: Final = ("state", "status", "pattern", "text")


class Terms(Parameter):
    """All of a filter's parameters; their value is one ``filters.Filter``."""

    def __init__(self) -> None:
        super().__init__(
            WHOLE,
            "A filter of any terms. Those of arguments can stand as parameters of their own, too: "
            "`args.0=7`, `kwargs.user_id=42`.",
            format="z4j-filter",
            maxLength=2000,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """One for each term, one for each family of terms, and that of the whole grammar."""
        return (WHOLE, *_SINGLE, *(f"{family}.*" for family in FAMILIES))

    @property
    def is_repeatable(self) -> bool:
        """Each may: all that is given has to hold."""
        return True

    def value(self, query: QueryDict) -> filters.Filter:
        """The filter that a query makes; its ages count from this moment.

        Raises:
            WrongFilter: If parts of it can't be read; tells all of them.
            Invalid: If it has more terms than a filter may have.
        """
        now = timezone.now()
        found = filters.Filter(now=now)
        wrong: dict[str, FilterError] = {}
        for name in filter(_is_term, query):
            try:
                read = (_read(name, value, now) for value in query.getlist(name))
                found = reduce(and_, read, found)
            except FilterError as error:
                wrong[name] = error
        if wrong:
            raise problems.WrongFilter(wrong)
        if len(found.terms) > words.TERMS_LIMIT:
            raise ValueError(
                f"A filter has at most {words.TERMS_LIMIT} terms, those of all parameters."
            )
        return found

    def described(self) -> Iterator[dict[str, Any]]:
        """The whole grammar, then each term."""
        yield from super().described()
        for name in _SINGLE:
            kind = filters.TERMS[name]
            told = f"Only {kind.help}." if kind.shape in _OF_TEXT else f"By {kind.help}."
            (described,) = Parameter(name, told, format=f"z4j-{kind.shape}").described()
            yield {**described, "example": kind.example.partition(":")[2]}


_ORDERINGS: Final = (*filters.ORDERINGS, *filters.SORTINGS)


class Ordering(Choice):
    """``?ordering=``; the filter has an order of its own where none is asked for."""

    def __init__(self) -> None:
        super().__init__(
            "ordering",
            "The order. By default the newest rows come first; where `sent` leads, those sent "
            "last. By `sent_at` only tasks are listed whose sending is on record, and by "
            "`started_at` only those that have started, of a filter that finds few: with "
            "`state:STARTED` what has been running longest comes first.",
            _ORDERINGS,
        )

    def read(self, given: str) -> str:
        """The order."""
        if given not in _ORDERINGS:
            raise FilterError(given, 0, f"one of {', '.join(_ORDERINGS)}")
        return given


#: What every list of tasks takes.
TERMS: Final = Terms()
ORDERING: Final = Ordering()


def _is_term(parameter: str) -> bool:
    family, dot, _ = parameter.partition(".")
    return family in FAMILIES if dot else parameter in TERMS.names


def _read(name: str, value: str, now: Any) -> filters.Filter:
    if name == WHOLE:
        return filters.parse(value, now=now)
    return filters.term(name, value, now=now)
