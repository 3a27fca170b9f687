"""A Django project of a few lines records its tasks after what the README says, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.harness.processes import PATIENCE, REPOSITORY, Program, kill, shippers
from tests.process.harness.records import Records
from tests.process.harness.waiting import wait_until

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "secret"
ROOT_URLCONF = "bakery.urls"
INSTALLED_APPS = ["z4j_django", "bakery"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
"""
CELERY = """
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bakery.settings")
app = Celery("bakery")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
INIT = """
from bakery.celery import app as celery_app

__all__ = ["celery_app"]
"""
TASKS = """
from celery import shared_task

@shared_task
def bake(bread):
    return f"{bread} is done"
"""
MANAGE = """
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bakery.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
#: The broker, which each project has its own way to name.
BROKER = """
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT = "example_project.filesystem:Transport"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(BASE_DIR / "messages"),
    "data_folder_out": str(BASE_DIR / "messages"),
    "control_folder": str(BASE_DIR / "control"),
    "polling_interval": 0.1,
}
"""
FILES = {
    "manage.py": MANAGE,
    "bakery/__init__.py": INIT,
    "bakery/settings.py": SETTINGS + BROKER,
    "bakery/celery.py": CELERY,
    "bakery/tasks.py": TASKS,
    "bakery/urls.py": "urlpatterns = []\n",
}


class Bakery:
    """The project.

    Args:
        folder: Where to write it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        unwanted = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "CELERY_BROKER_URL", "Z4J_DISABLED")
        self.environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        self.environment |= {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py``; what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def journal(self) -> Path:
        """The directory that the project's journal has by default."""
        code = "from z4j_django.wiring import journal_directory; print(journal_directory())"
        return Path(self.manage("shell", "-v", "0", "-c", code).strip())

    def start_worker(self) -> Program:
        """Start a worker, and wait until it says that it records."""
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "bakery",
            "worker",
            "-c",
            "1",
            "-l",
            "INFO",
        ]
        worker = Program(command, self.environment, self.folder / "worker.log", self.folder)
        line = "runtime started (celery_app=bakery.celery:app, framework=django)"
        worker.wait_for_output(line)
        return worker


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    made = Bakery(tmp_path)
    made.manage("migrate", "-v", "0")
    return made


def test_a_new_project_records_after_one_line_in_its_settings_and_migrate(bakery: Bakery) -> None:
    journal = bakery.journal()
    records = Records(f"sqlite:///{bakery.folder / 'db.sqlite3'}")
    worker = bakery.start_worker()
    try:
        code = "from bakery.tasks import bake; print(bake.delay('rye').id)"
        task_id = bakery.manage("shell", "-v", "0", "-c", code).strip()
        wait_until(lambda: records.state(task_id) == "SUCCESS", PATIENCE, "the record")
        task = records.task(task_id)
        assert (task.name, task.args) == ("bakery.tasks.bake", ["rye"])
        assert (task.result, task.queue) == ("rye is done", "celery")
        assert records.timeline(task_id) == ["sent", "received", "started", "succeeded"]
        worker.stop()
        assert shippers(journal) == []
    finally:
        worker.clean_up()
        for pid in shippers(journal):
            kill(pid)
        records.close()
        for path in journal.glob("*"):
            path.unlink()
        journal.rmdir()
