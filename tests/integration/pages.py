"""The admin's addresses, and what the tests read off its pages."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from z4j_django.models import TaskRecord

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
TASKS = reverse("admin:z4j_django_taskrecord_changelist")
GROUPS = reverse("admin:z4j_django_grouprecord_changelist")
WORKERS = reverse("admin:z4j_django_workerrecord_changelist")
SCRIPT = "<script>alert(1)</script>"


def superuser() -> Client:
    """A client signed in as one; without a password, whose hashing takes its time."""
    client = Client()
    client.force_login(User.objects.create_user("root", is_staff=True, is_superuser=True))
    return client


def task(task_id: str, **fields) -> TaskRecord:
    return TaskRecord.objects.create(task_id=task_id, **fields)


def page(record) -> str:
    return reverse(f"admin:z4j_django_{record._meta.model_name}_change", args=[record.pk])


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def listed(response) -> list[str]:
    return [record.task_id for record in response.context["cl"].result_list]
