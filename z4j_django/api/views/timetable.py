"""When beat is to send what, and what came of it lately: of whatever keeps its schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import fields, generic
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import Text, Whole
from z4j_django.api.views.workers import WorkerSerializer
from z4j_django.conf import settings
from z4j_django.models import TaskRecord
from z4j_django.queries import schedule_runs, worker_status
from z4j_django.queries.schedule_runs import Schedule


class RunSerializer(fields.Record):
    """A task that a schedule published."""

    url = fields.Address("task", "task_id", project=True, help_text="Its address.")

    class Meta:  # noqa: D106
        model = TaskRecord
        fields = ("url", "task_id", "state", "sent_at", "runtime", "operation")


class TimetableRow(serializers.Serializer[Any]):
    """A schedule that beat keeps to, as it stands."""

    name = serializers.CharField(help_text="Its name, which its tasks carry as their `schedule`.")
    task = serializers.CharField(help_text="Name of the task that it publishes.")
    recurrence = serializers.CharField(help_text="When it comes, in words.")
    is_kept = serializers.BooleanField(
        help_text="Whether django-celery-beat keeps it; else it stands in `beat_schedule`."
    )
    due_at = fields.Moment(
        allow_null=True, help_text="When it is due next, or was; null where that is not known."
    )
    overdue_since = fields.Moment(
        allow_null=True, help_text="Since when it is overdue; null where it is not."
    )
    last_sent_at = fields.Moment(
        allow_null=True, help_text="When beat published it last, as far as that is known."
    )
    outcome = serializers.CharField(
        allow_null=True, help_text="The state of its newest run; null where none is on record."
    )
    runtime = serializers.FloatField(
        allow_null=True, help_text="Seconds that the newest run took that ended."
    )
    runs = RunSerializer(
        many=True,
        help_text=f"Its newest runs, {schedule_runs.RUNS} at most, the newest last; one with an "
        "`operation` was run by hand.",
    )
    tasks_url = fields.TasksAddress(
        schedule="name",
        project=lambda _: settings.PROJECT,
        help_text="Address of the list of the tasks that it published.",
    )


class Timetable(serializers.Serializer[Any]):
    """Schedules, and the beats that keep to them."""

    total = serializers.IntegerField(help_text="How many schedules there are.")
    overdue = serializers.IntegerField(help_text="How many of them are overdue.")
    beats = WorkerSerializer(
        many=True, help_text="The beats on record, for whoever may view workers."
    )
    results = TimetableRow(many=True, help_text="What is overdue, then what is due next.")


class TimetableView(generic.Shown):
    """``schedules/timetable/``; the permission is that of the admin's page."""

    reads = "taskrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "schedules_timetable",
            "When what is due, and how it went",
            "The schedules that are on and come again, of the app's `beat_schedule` and of "
            f"django-celery-beat, {schedule_runs.LIMIT} a page, with the newest runs of each.",
            parameters=(
                Text("name", "Only the one of this name."),
                Whole("page", "Which page.", default=1, maximum=100),
            ),
            answer=Timetable,
        )
    }

    def get(self, request: Request) -> Response:
        """A page of them."""
        now, first = timezone.now(), (self.asked["page"] - 1) * schedule_runs.LIMIT
        found = schedule_runs.page(settings.PROJECT, now, first, self.asked["name"])
        beats = schedule_runs.beats(settings.PROJECT) if self.sees("workerrecord") else []
        worker_status.tell(beats, now)
        return self.answer(
            {
                "total": found.total,
                "overdue": found.overdue,
                "beats": beats,
                "results": [_row(one, now) for one in found.rows],
            }
        )


def _row(schedule: Schedule, now: datetime) -> dict[str, Any]:
    entry, runs = schedule.entry, schedule.runs
    return {
        "name": entry.name,
        "task": entry.task,
        "recurrence": str(entry.recurrence),
        "is_kept": entry.is_kept,
        "due_at": schedule.due(now),
        "overdue_since": schedule.overdue.since if schedule.overdue is not None else None,
        "last_sent_at": schedule.last_sent,
        "outcome": runs[-1].state if runs else None,
        "runtime": schedule.runtime,
        "runs": runs,
    }


urlpatterns = [path("schedules/timetable/", TimetableView.as_view(), name="timetable")]
