"""A site that publishes: as it is loaded, and at each request.

Loaded by ``gunicorn --preload``, it has published before its workers are forked.
"""

from __future__ import annotations

import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
application = get_wsgi_application()

from tests.process.project.tasks import add  # noqa: E402  # needs the app, which needs Django

add.apply_async((0, 0), task_id="before-the-fork")


def publish(request: HttpRequest) -> JsonResponse:
    """Publish, and say who did."""
    sent = add.delay(1, 2)
    return JsonResponse({"id": sent.id, "pid": os.getpid(), "threads": threading.active_count()})


urlpatterns = [path("publish/", publish)]
