"""What a metric is, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from z4j_django.metrics.distributions import Distribution, Exemplar
from z4j_django.metrics.reading import Reading

Kind = Literal["counter", "gauge", "histogram"]
Value: TypeAlias = int | float | Distribution


class Row(NamedTuple):
    """One line of a metric: the values of its labels, in their order, and what is told."""

    labels: tuple[str, ...]
    value: Value
    exemplar: Exemplar | None = None


@dataclass(frozen=True)
class Metric:
    """Something that is told, declared once.

    Attributes:
        name: Its name, in base units; a counter's without ``_total``.
        kind: How it is to be read.
        about: What it tells, in a sentence.
        labels: By what it is told apart.
        rows: What it tells of a project at a moment.
        unit: The last word of its name where that is a unit.
        by: The labels by which a chart of it tells apart.
    """

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...]
    rows: Callable[[Reading], Iterable[Row]]
    unit: str = ""
    by: tuple[str, ...] = ()
