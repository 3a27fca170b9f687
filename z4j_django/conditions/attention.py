"""What needs someone's attention: the conditions as they are stored, with what there is to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from django.db.models import Case, F, IntegerField, Subquery, Value, When

from z4j_django.conditions.base import Finding
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import ConditionRecord, Lease

#: Conditions that hold, and that have ended, which are listed at most.
OPEN_LIMIT: Final = 500
ENDED_LIMIT: Final = 50
#: What explains the most comes first among those of one severity and moment.
_PLACE: Final = Case(
    *(When(key=key, then=Value(number)) for number, key in enumerate(CONDITIONS)),
    default=Value(len(CONDITIONS)),
    output_field=IntegerField(),
)


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
    holding = mine.filter(ended_at=None).order_by("severity", _PLACE, "since", "id")
    ended = mine.exclude(ended_at=None).order_by("-ended_at")
    return Attention(
        open=described(holding[:OPEN_LIMIT]),
        ended=described(ended[:ENDED_LIMIT]),
        checked_at=lease.done_at if lease else None,
        checked_by=lease.holder if lease else "",
    )


@dataclass(frozen=True)
class Now:
    """What is wrong with a project, as a first page shows it.

    Attributes:
        open: What holds, the worst first; some of it, where it is more than was asked for.
        more: Whether there is more.
        quiet_since: When the last that held came to an end, where nothing holds.
        checked_at: When it was last looked at, by the database's clock; ``None``: never.
    """

    open: list[ConditionRecord]
    more: bool
    quiet_since: datetime | None
    checked_at: datetime | None


def now(project: str, limit: int) -> Now:
    """What holds, in one query; in two where nothing ever did."""
    mine = Lease.objects.filter(project=project, name=Lease.WATCH)
    done = Subquery(mine.values("done_at")[:1])
    first = F("ended_at").desc(nulls_first=True)
    found = list(
        ConditionRecord.objects.filter(project=project)
        .annotate(checked_at=done)
        .order_by(first, "severity", _PLACE, "since", "id")[: limit + 1]
    )
    holding = described(one for one in found if one.ended_at is None)
    if found:
        checked_at, newest = found[0].checked_at, found[0].ended_at
    else:
        checked_at, newest = mine.values_list("done_at", flat=True).first(), None
    return Now(holding[:limit], len(holding) > limit, newest, checked_at)


@dataclass(frozen=True)
class Holding:
    """A condition that holds, in short: its key, severity, subject and since when."""

    key: str
    severity: str
    subject: str
    since: datetime


def holding(project: str) -> list[Holding]:
    """All that holds, in one query; each condition is told of a bounded number of subjects."""
    found = ConditionRecord.objects.filter(project=project, ended_at=None).order_by()
    return [Holding(*row) for row in found.values_list("key", "severity", "subject", "since")]


def checked_at(project: str) -> datetime | None:
    """When it was last looked at, by the database's clock; ``None``: never."""
    mine = Lease.objects.filter(project=project, name=Lease.WATCH)
    return mine.values_list("done_at", flat=True).first()


def described(records: Iterable[ConditionRecord]) -> list[ConditionRecord]:
    """The records, each with what its declaration says."""
    found = list(records)
    for one in found:
        condition = CONDITIONS.get(one.key)
        one.title = one.key
        if condition is not None:  # else another version stored it
            one.title, one.subject_kind = condition.title, condition.subject
            one.remedy = condition.remedy
            if condition.filter is not None and not is_of_others(one):
                finding = Finding(one.subject, one.since, one.evidence, one.numbers)
                one.tasks = condition.filter(finding)
    return found


def is_of_others(record: ConditionRecord) -> bool:
    """Whether it stands for the subjects that are too many to be listed, and has none itself."""
    return isinstance(record.numbers, dict) and "more_than" in record.numbers
