"""The example's shop without its pages, in a place of its own."""

from __future__ import annotations

import json
import os

from example_project.settings import *  # noqa: F403  # what else it has, it keeps
from example_project.settings import CELERY_BROKER_TRANSPORT_OPTIONS, INSTALLED_APPS

QUEUE = os.environ["SCENE_QUEUE"]
INSTALLED_APPS = [
    name for name in INSTALLED_APPS if not name.startswith(("django.contrib", "rest_", "drf_"))
]
ROOT_URLCONF = __name__
urlpatterns: list[object] = []
MIDDLEWARE: list[str] = []
TEMPLATES: list[object] = []
Z4J = json.loads(os.environ["SCENE_Z4J"])

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ["SHOP_MAIL_PORT"])

CELERY_TASK_DEFAULT_QUEUE = QUEUE
CELERY_CONTROL_EXCHANGE = QUEUE
CELERY_EVENT_EXCHANGE = f"{QUEUE}.events"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **CELERY_BROKER_TRANSPORT_OPTIONS,
    "global_keyprefix": f"{QUEUE}.",
    "visibility_timeout": 20.0,
}
CELERY_BEAT_SCHEDULER = "celery.beat:PersistentScheduler"
CELERY_BEAT_SCHEDULE = {
    "a banner every second": {
        "task": "shop.show_banner",
        "schedule": 1.0,
        "args": ("Hello!",),
        "options": {"queue": f"{QUEUE}-orders"},
    },
}
