"""Tasks that say what they do, and go on until somebody makes a file."""

from __future__ import annotations

import threading
from pathlib import Path

from celery import Task, shared_task
from celery.utils.log import get_task_logger

import z4j_django

logger = get_task_logger("project.words")


@shared_task(name="speak", bind=True, z4j={"sample": 1.0})
def speak(self: Task, path: str) -> None:
    logger.info("not so loud")
    logger.warning("login with password=%s <b>", "hunter2")
    self.z4j.progress(1, 4, "the first")
    z4j_django.progress(2, 4, "the second")
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.02)
    logger.error("the end")
    self.z4j.progress(4, total=4)
