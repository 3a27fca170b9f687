"""The Celery app."""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.process.project.settings")

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
if "SCENE_SETUP" in os.environ:  # as projects do whose Celery commands need their models
    django.setup()


@worker_init.connect
def close_connections_before_fork(**kwargs: Any) -> None:
    """A connection of PyMySQL can't be shared with a child; the result backend opens some."""
    from django.db import connections

    os.register_at_fork(before=connections.close_all)
