"""What is on record as wrong now, of one kind."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet

from z4j_django.models import ConditionRecord
from z4j_django.queries import lookups

#: That are read of one kind, at most.
LIMIT: Final = 500


def of_kind(key: str, *projects: str) -> QuerySet[ConditionRecord]:
    """What holds of a condition, by its key; the newest first.

    Args:
        key: The condition's.
        *projects: Whose; by default those on record.
    """
    wanted = projects or lookups.projects(ConditionRecord)
    found = ConditionRecord.objects.filter(project__in=wanted, key=key, is_open=True)
    return found.order_by("-id")[:LIMIT]
