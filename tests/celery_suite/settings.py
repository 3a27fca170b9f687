"""The Django project that the suite's processes belong to."""

from __future__ import annotations

import os
from pathlib import Path

from example_project import environment

FOLDER = Path(os.environ["SUITE_FOLDER"])

SECRET_KEY = "not-a-secret-only-tests"
USE_TZ = True
INSTALLED_APPS = ["z4j_django"]
DATABASES = {"default": environment.database(os.environ["DATABASE_URL"], FOLDER)}
Z4J = {"ENABLED": True, "JOURNAL_DIR": str(FOLDER / "journal")}
SILENCED_SYSTEM_CHECKS = ["z4j_django.W002"]  # the suite makes its Celery apps itself
