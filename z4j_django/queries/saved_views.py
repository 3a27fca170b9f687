"""Filters that people saved: which somebody sees, and which of them are for everybody."""

from __future__ import annotations

from typing import Final

from django.db.models import Case, Q, QuerySet, When

from z4j_django.models import SavedView

#: Of one user; above a list there are twice as many at most.
LIMIT: Final = 50


def seen_by(owner: str) -> QuerySet[SavedView]:
    """A user's own, and those that are shared, by name.

    Args:
        owner: The user's key; nobody has the empty one.
    """
    shared = Q(shared=True)
    mine = Q(owner=owner) if owner else Q(pk__in=[])
    return SavedView.objects.filter(mine | shared).order_by("name", "id")


def listed(owner: str) -> list[SavedView]:
    """Those that stand above a list, the user's own first."""
    is_others = Case(When(owner=owner, then=0), default=1)
    return list(seen_by(owner).order_by(is_others, "name", "id")[: 2 * LIMIT])


def is_full(owner: str) -> bool:
    """Whether a user has as many as one may have."""
    return SavedView.objects.filter(owner=owner)[LIMIT - 1 : LIMIT].exists()
