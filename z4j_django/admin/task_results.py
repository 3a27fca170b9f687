"""From a task to its row of django-celery-results, and back: for whoever may see both."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.http import HttpRequest

from z4j_django.admin import links
from z4j_django.conf import settings
from z4j_django.models import TaskRecord

APP: Final = "django_celery_results"


def result_url(admin: Any, request: HttpRequest, task: TaskRecord) -> str | None:
    """The page of a task's row, where that app has one, and this site shows it."""
    if task.project != settings.PROJECT or not apps.is_installed(APP):
        return None
    model = apps.get_model(APP, "TaskResult")
    if not admin.may_view(request, model):
        return None
    key = model._default_manager.filter(task_id=task.task_id).values_list("pk", flat=True).first()
    address: str | None = admin.page_of(model, key) if key is not None else None
    return address


def record_url(request: HttpRequest, task_id: str | None) -> str | None:
    """The page of a task's record; without an id, the list of all."""
    if task_id is None:
        return links.page_url(request, "taskrecord")
    mine = TaskRecord.objects.filter(project=settings.PROJECT, task_id=task_id)
    key = mine.values_list("pk", flat=True).first()
    return links.record_url(request, "taskrecord", key) if key is not None else None
