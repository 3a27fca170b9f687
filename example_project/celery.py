"""The shop's Celery app."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")

app = Celery("example_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def close_connections_before_fork(**kwargs: object) -> None:
    """Lets no pool process inherit a connection that the worker's main process has open.

    Celery has each new pool process drop what it inherited by its file descriptor. PyMySQL's
    connections offer none: their goodbye would go out on the parent's socket, and the worker
    would stop at its next query.
    """
    from django.db import connections

    os.register_at_fork(before=connections.close_all)
