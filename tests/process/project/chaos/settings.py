"""The test project's settings, for a database that goes away and a broker that forgets early."""

from __future__ import annotations

import os
from pathlib import Path

from tests.process.project.settings import *  # noqa: F403  # all of them, and a few changes
from tests.process.project.settings import (
    CELERY_BROKER_TRANSPORT_OPTIONS,
    CELERY_BROKER_URL,
    DATABASES,
    FOLDER,
)

CELERY_APP = "tests.process.project.chaos.celery:app"
CHAOS_LEDGER = FOLDER / "ledger"
CHAOS_CLOCK = Path(os.environ["CHAOS_CLOCK"])

# A database that is away must not keep the tasks from their results.
CELERY_RESULT_BACKEND = os.environ["CHAOS_RESULTS"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_LOST_WAIT = 0.5  # seconds
if CELERY_BROKER_URL.startswith("redis:"):
    # Seconds after which what a killed worker held is delivered again; an hour by default.
    CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] = 5
    # The server is this run's own; with a prefix Kombu does not find a queue to tell its depth.
    del CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
else:
    CELERY_BROKER_TRANSPORT_OPTIONS["polling_interval"] = 0.01  # seconds
if "OPTIONS" in DATABASES["default"]:
    # A locked SQLite file refuses, as a server does that is away, and does not wait.
    DATABASES["default"]["OPTIONS"]["timeout"] = 1  # seconds
