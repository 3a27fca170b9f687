"""What needs someone's attention: the conditions as they are stored, with what there is to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from django.db.models import Case, IntegerField, Value, When

from z4j_django.conditions.base import Finding
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import ConditionRecord, Lease

#: Conditions that hold, and that have ended, which are listed at most.
OPEN_LIMIT: Final = 500
ENDED_LIMIT: Final = 50


@dataclass(frozen=True)
class Attention:
    """What is wrong with a project.

    Attributes:
        open: What holds, the worst first, then what holds for the longest.
        ended: What held lately, the newest end first.
        checked_at: When it was last looked at, by the database's clock; ``None``: never.
        checked_by: By which process.
    """

    open: list[ConditionRecord]
    ended: list[ConditionRecord]
    checked_at: datetime | None
    checked_by: str

    @cached_property
    def counts(self) -> Counter[str]:
        """How many hold, by their severity."""
        return Counter(one.severity for one in self.open)


def read(project: str) -> Attention:
    """What is stored of a project."""
    mine = ConditionRecord.objects.filter(project=project)
    lease = Lease.objects.filter(project=project, name=Lease.WATCH).first()
    # What explains the most comes first among those of one severity and moment.
    place = Case(
        *(When(key=key, then=Value(number)) for number, key in enumerate(CONDITIONS)),
        default=Value(len(CONDITIONS)),
        output_field=IntegerField(),
    )
    holding = mine.filter(ended_at=None).order_by("severity", place, "since", "id")
    ended = mine.exclude(ended_at=None).order_by("-ended_at")
    return Attention(
        open=_told(holding[:OPEN_LIMIT]),
        ended=_told(ended[:ENDED_LIMIT]),
        checked_at=lease.done_at if lease else None,
        checked_by=lease.holder if lease else "",
    )


def _told(records: Iterable[ConditionRecord]) -> list[ConditionRecord]:
    """The records, each with what its declaration says."""
    found = list(records)
    for one in found:
        condition = CONDITIONS.get(one.key)
        one.title = one.key
        if condition is not None:  # else another version stored it
            one.title, one.subject_kind = condition.title, condition.subject
            one.remedy = condition.remedy
            if condition.filter is not None:
                finding = Finding(one.subject, one.since, one.evidence, one.numbers)
                one.tasks = condition.filter(finding)
    return found
