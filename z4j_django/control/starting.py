"""A worker that starts: it takes nothing from queues that are paused.

It asks the records itself, before it takes anything. One that can't, such as a worker without
Django, is told within seconds by whoever looks after the project.
"""

from __future__ import annotations

from typing import Any, Final

from celery import signals
from django.db import connections, router
from django.utils import timezone

from z4j_django import logs
from z4j_django.conf import settings
from z4j_django.models import PausedConsumer, PausedQueue
from z4j_django.models.primary import delete
from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within

logger = logs.logger("z4j_django.control")

#: Seconds that the start of a worker waits for the database.
TIMEOUT: Final = 5.0


def connect() -> None:
    """Have the workers of this process ask."""
    signals.celeryd_after_setup.connect(leave_paused, dispatch_uid="z4j_django.paused")


def leave_paused(sender: str, instance: Any, **kwargs: Any) -> None:
    """Deselect what is paused of the queues of a worker; whatever goes wrong is logged."""
    queues = instance.app.amqp.queues
    selected = set(queues.consume_from)
    try:
        paused = within(TIMEOUT, lambda: _paused(sender, selected))
    except Exception as error:  # whatever a database raises: the worker starts all the same
        reason = mask_text(f"{type(error).__name__}: {error}")
        logger.warning("Which queues are paused is not known: %s", reason)
        return
    if paused:
        logger.warning("Paused, so nothing is taken from: %s", ", ".join(paused))
        queues.deselect(paused)


def _paused(hostname: str, selected: set[str]) -> list[str]:
    """Those of some queues that are paused; the worker takes from them once they are resumed."""
    try:
        found = PausedQueue.objects.filter(project=settings.PROJECT, resumed_at=None)
        mine = [one for one in found if one.queue in selected]
        # What it was before its restart may have taken from others.
        delete(PausedConsumer.objects.filter(hostname=hostname, pause__project=settings.PROJECT))
        PausedConsumer.objects.bulk_create(
            PausedConsumer(pause=one, hostname=hostname, at=timezone.now()) for one in mine
        )
        return sorted(one.queue for one in mine)
    finally:
        connections[router.db_for_write(PausedQueue)].close()  # no child is to inherit it
