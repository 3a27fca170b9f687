"""What the conditions of one round look at: each thing is read when it is first asked for, once."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Final

from z4j_django.agent import events
from z4j_django.models import WorkerRecord
from z4j_django.queries import liveness

#: Workers that are looked at, those online first and then the newest: pods come and go.
WORKERS_LIMIT: Final = 1_000


class Scene:
    """A project at one moment.

    Args:
        project: Which.
        now: The moment, as the database's times are: aware unless ``USE_TZ`` is off.
    """

    def __init__(self, project: str, now: datetime) -> None:
        self.project = project
        self.now = now
        #: Why conditions could not be evaluated, by their keys.
        self.failures: dict[str, str] = {}

    @cached_property
    def workers(self) -> list[WorkerRecord]:
        """The workers on record, those that said no goodbye first."""
        return [one for one in self._heard if one.pool != events.BEAT]

    @cached_property
    def beats(self) -> list[WorkerRecord]:
        """The beats on record, likewise."""
        return [one for one in self._heard if one.pool == events.BEAT]

    @cached_property
    def _heard(self) -> list[WorkerRecord]:
        mine = WorkerRecord.objects.filter(project=self.project)
        return list(mine.order_by("-online", "-id")[:WORKERS_LIMIT])

    @cached_property
    def online_workers(self) -> list[WorkerRecord]:
        """Those that are heard of."""
        found = self.workers
        return [one for one in found if liveness.presence(one, self.now) == "online"]
