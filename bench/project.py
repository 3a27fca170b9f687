"""The project that the benchmarks run: settings and Celery app in one, told by the environment."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery, signals

from bench import common
from example_project import environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.project")

SECRET_KEY = "only-for-benchmarks"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": environment.database(os.environ.get("DATABASE_URL"), common.REPOSITORY / ".demo")
}
VARIANT = os.environ.get("BENCH_VARIANT", "recorded")
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
if VARIANT == "results":
    INSTALLED_APPS += ["django_celery_results"]
elif VARIANT == "recorded":
    INSTALLED_APPS += ["z4j_django"]
CELERY_APP = "bench.project:app"
Z4J = {
    "JOURNAL_DIR": os.environ.get("BENCH_JOURNAL"),
    "SHIPPER": os.environ.get("BENCH_SHIPPER", "process"),
}

app = Celery("bench", broker=os.environ.get("BENCH_BROKER", "memory://"))
app.conf.update(
    result_backend="django-db" if VARIANT == "results" else "disabled://",
    result_extended=VARIANT == "results",
    task_track_started=VARIANT == "results",
    task_ignore_result=VARIANT != "results",
    task_default_queue=os.environ.get("BENCH_QUEUE", "z4jbench"),
    worker_send_task_events=VARIANT == "flower",
    task_send_sent_event=VARIANT == "flower",
)


@app.task(name="bench.nothing")
def nothing(*args: object, **kwargs: object) -> int:
    """What a task costs that does nothing."""
    return 3


@signals.worker_ready.connect
def tell(**kwargs: object) -> None:
    """Say that the worker takes tasks from here on."""
    if path := os.environ.get("BENCH_READY"):
        Path(path).touch()
