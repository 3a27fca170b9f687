"""The records in Django's admin: to read, and to act on where one may."""

from z4j_django.admin import (
    alerts,
    errors,
    groups,
    journals,
    operations,
    room,
    saved_views,
    tasks,
    workers,
)

__all__ = [
    "alerts",
    "errors",
    "groups",
    "journals",
    "operations",
    "room",
    "saved_views",
    "tasks",
    "workers",
]
