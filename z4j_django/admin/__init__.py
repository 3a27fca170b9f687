"""The records in Django's admin: to read, not to change."""

from z4j_django.admin import groups, journals, tasks, workers

__all__ = ["groups", "journals", "tasks", "workers"]
