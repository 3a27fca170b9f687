"""The Celery app of the chaos harness."""

from __future__ import annotations

from celery import Celery
from django.conf import settings

from tests.process.project.chaos import clock

# Reading the settings imports the example's app; ours comes after it, as the current one.
clock.install(settings.CHAOS_CLOCK)
app = Celery("chaos", task_cls="tests.process.project.chaos.ledger:LedgerTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.include = ["tests.process.project.chaos.tasks"]
