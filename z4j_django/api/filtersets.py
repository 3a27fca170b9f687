"""The filter grammar as plain query parameters, with django-filter.

``?state=FAILURE&name=shop.*`` means what ``?q=state:FAILURE name:shop.*`` does; all that is given
has to hold, a parameter that is given twice too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any, Final

import django_filters
from django import forms
from django.utils import timezone

from z4j_django.api import problems
from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import filters, grammar

#: Terms that go on with a path, which the name of the parameter holds: ``kwargs.user_id``.
FAMILIES: Final = ("args", "kwargs")
#: The parameter that takes the whole grammar.
WHOLE: Final = "q"
#: What a list of tasks can be filtered by, as ``base.known_parameters`` takes it.
PARAMETERS: Final = (
    WHOLE,
    *(name for name in filters.TERMS if name not in FAMILIES),
    *(f"{family}.*" for family in FAMILIES),
)


class _Values(forms.Widget):
    """Every value that a parameter has."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return list(data.getlist(name)) if hasattr(data, "getlist") else [data[name]]


class TermField(forms.Field):
    """Reads the values of one parameter.

    Args:
        name: The parameter's.
        now: The moment from which ages are counted back.
        **kwargs: As ``forms.Field`` takes them.
    """

    widget = _Values

    def __init__(self, *, name: str, now: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.now = now

    def clean(self, value: Iterable[str]) -> filters.Filter:
        """The filter that the values make.

        Raises:
            ValidationError: If one can't be read; its cause says why.
        """
        now = self.now or timezone.now()
        try:
            read = [
                filters.parse(one, now=now)
                if self.name == WHOLE
                else filters.term(self.name, one, now=now)
                for one in value
            ]
        except FilterError as error:
            raise forms.ValidationError(str(error)) from error
        return reduce(and_, read, filters.Filter(now=now))


class TermFilter(django_filters.Filter):
    """One parameter."""

    field_class = TermField

    def filter(self, qs: Any, value: filters.Filter) -> Any:
        """The part of a bounded queryset that it leaves."""
        return value.matches(qs)


def is_known(parameter: str) -> bool:
    """Whether a parameter is one of the filter's."""
    family, dot, _ = parameter.partition(".")
    if dot:
        return family in FAMILIES
    return parameter in PARAMETERS


def _filter(name: str, now: datetime | None = None) -> TermFilter:
    kind = filters.TERMS.get(name.partition(".")[0])
    told = kind.help if kind is not None else "the filter grammar"
    return TermFilter(field_name=name, label=name, help_text=told, name=name, now=now)


class TaskFilterSet(django_filters.FilterSet):
    """What is asked of the tasks; of the parameters, those that are no filter are left out.

    It makes only the filters that the parameters name: all of them, anew for each request, would
    take longer than a page.
    """

    class Meta:  # noqa: D106
        model = TaskRecord
        fields: tuple[str, ...] = ()

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        if data is not None:
            now = timezone.now()
            self.base_filters = {name: _filter(name, now) for name in data if is_known(name)}
        super().__init__(data, *args, **kwargs)

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        """One for each term, and one for the whole grammar."""
        return {name: _filter(name) for name in PARAMETERS if not name.endswith(".*")}

    @property
    def asked(self) -> filters.Filter:
        """All of it as one filter.

        Raises:
            WrongFilter: If a part can't be read.
        """
        if self.is_bound and not self.is_valid():
            wrong = {
                name: error.__cause__
                for name, errors in self.errors.as_data().items()
                for error in errors
                if isinstance(error.__cause__, FilterError)
            }
            raise problems.WrongFilter(wrong)
        given = self.form.cleaned_data.values() if self.is_bound else ()
        found = reduce(and_, given, filters.Filter())
        if len(found.terms) > grammar.TERMS_LIMIT:
            reason = f"A filter has at most {grammar.TERMS_LIMIT} terms, those of all parameters."
            raise problems.Invalid([{"name": WHOLE, "reason": reason}])
        return found
