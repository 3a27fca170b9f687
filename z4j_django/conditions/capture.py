"""Why records may be missing: the conditions of capture, as they are at this moment.

They are asked for where nobody may have evaluated any: the shipper that would is what is in doubt.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Final

from django.utils import timezone

from z4j_django.conditions import registry
from z4j_django.conditions.base import Condition, Finding
from z4j_django.conditions.scene import Scene
from z4j_django.conf import settings

#: Those of journals, and those of workers, as the registry has them.
JOURNALS: Final = ("journal_stopped", "journal_losing", "journal_disk", "journal_behind")
WORKERS: Final = ("no_workers", "worker_gone", "worker_silent")
#: Findings of one condition.
_LIMIT: Final = 10


def troubles(
    now: datetime | None = None, *, workers: bool = True
) -> list[tuple[Condition, Finding]]:
    """What someone should look at; nothing where all is well.

    Args:
        now: The moment; by default this one.
        workers: Whether to look at the workers, too.
    """
    scene = Scene(settings.PROJECT, now or timezone.now())
    limits = registry.current()
    return [
        (registry.CONDITIONS[key], finding)
        for key in (*JOURNALS, *(WORKERS if workers else ()))
        if key in limits
        for finding in itertools.islice(registry.CONDITIONS[key].find(scene, limits[key]), _LIMIT)
    ]


def words(now: datetime | None = None, *, workers: bool = True) -> list[str]:
    """The same in words."""
    return [finding.evidence for _, finding in troubles(now, workers=workers)]
