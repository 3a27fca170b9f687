"""What may differ from one test to the next comes from the environment, as JSON or as a URL."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from example_project import environment

FOLDER = Path(os.environ["DEMO_DIR"])

SECRET_KEY = "not-a-secret-only-tests"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "z4j_django",
    "django_celery_results",
    "tests.process.project",
]
if importlib.util.find_spec("django_celery_beat"):  # its newest asks for an older Django
    INSTALLED_APPS.append("django_celery_beat")
DATABASES = {"default": environment.database(os.environ["DATABASE_URL"], FOLDER)}
DATABASES["default"]["ENGINE"] = os.environ.get("SCENE_ENGINE", DATABASES["default"]["ENGINE"])
if "SCENE_ENGINE" not in os.environ and "z4j_django.agent.shipper_process" in sys.orig_argv:
    raise RuntimeError("A shipper needs nothing of the project, and this one loads it.")

Z4J: dict[str, Any] = json.loads(os.environ["SCENE_Z4J"])
CELERY_APP = "tests.process.project.celery:app"

_broker = environment.broker(os.environ.get("CELERY_BROKER_URL"), FOLDER)
CELERY_BROKER_URL = _broker["broker_url"]
CELERY_BROKER_TRANSPORT = _broker["broker_transport"]
CELERY_BROKER_TRANSPORT_OPTIONS = _broker["broker_transport_options"]
if CELERY_BROKER_URL.startswith("redis:"):
    CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = os.environ["SCENE_QUEUE"] + "."
if "SCENE_VISIBILITY" in os.environ:
    CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] = float(os.environ["SCENE_VISIBILITY"])
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = os.environ["SCENE_QUEUE"]
# Remote control reaches the workers of this test, and no others on the same broker.
CELERY_CONTROL_EXCHANGE = os.environ["SCENE_QUEUE"]
CELERY_EVENT_EXCHANGE = os.environ["SCENE_QUEUE"] + ".events"
CELERY_RESULT_BACKEND = os.environ.get("SCENE_RESULTS", "django-db")
if CELERY_RESULT_BACKEND.startswith("redis:"):
    CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"global_keyprefix": os.environ["SCENE_QUEUE"] + "."}
CELERY_ACCEPT_CONTENT = os.environ.get("SCENE_ACCEPT", "json").split()
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_POOL_RESTARTS = "SCENE_RESTARTS" in os.environ
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = float(os.environ.get("SCENE_SOFT", "0"))
CELERY_WORKER_LOST_WAIT = 1.0  # seconds until a killed child counts as lost; 10 by default
CELERY_WORKER_LOG_FORMAT = "[%(levelname)s/%(processName)s] %(name)s: %(message)s"
CELERY_BEAT_SCHEDULE = {
    "add every second": {"task": "add", "schedule": 1.0, "args": (20, 22)},
}
