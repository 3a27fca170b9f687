"""``manage.py z4j_retry``: publish the original messages of tasks again."""

from __future__ import annotations

from z4j_django import verbs
from z4j_django.management import targeting


class Command(targeting.TaskCommand):
    """Retries tasks by their ids, or by a filter."""

    help = "Sends tasks again as they were sent at first, each under a new id."
    verb = verbs.RETRY
