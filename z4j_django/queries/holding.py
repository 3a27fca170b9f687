"""What is on record as wrong now, of one kind."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet

from z4j_django.models import ConditionRecord

#: That are read of one kind, at most.
LIMIT: Final = 500


def of_kind(project: str, key: str) -> QuerySet[ConditionRecord]:
    """What holds of a condition, by its key; the newest first."""
    found = ConditionRecord.objects.filter(project=project, key=key, is_open=True)
    return found.order_by("-id")[:LIMIT]
