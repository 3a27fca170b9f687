"""A plugin of pytest: notes what fails and, where a Django project is named, sets that up.

It notes besides which tasks leave no result: they, or whoever published them, want none, or the
test has the backend forget it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(os.environ["SUITE_FOLDER"])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _note("failed", report.nodeid)


def _note(file: str, text: str) -> None:
    with (FOLDER / file).open("a") as notes:
        notes.write(f"{text}\n")


def _note_without_result(task_id: str, task: Any, **kwargs: Any) -> None:
    from celery.app.task import get_actual_ignore_result

    if get_actual_ignore_result(task, task.request):
        _note("without-result", task_id)


def _note_forgotten(result: Any) -> None:
    _note("without-result", result.id)
    _forget(result)


if os.environ["DJANGO_SETTINGS_MODULE"]:
    import django
    from celery.result import AsyncResult
    from celery.signals import task_prerun

    django.setup()
    task_prerun.connect(_note_without_result)
    _forget, AsyncResult.forget = AsyncResult.forget, _note_forgotten
