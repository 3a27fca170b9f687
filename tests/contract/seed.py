"""Records beside those of the tasks that ran: hostile ones, and those that the examples name.

Run by Django of the site; prints a superuser's token, and values that are on record, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from typing import Any, Final

import django

#: What somebody may have named a task, an argument or a worker.
HOSTILE: Final = (
    "<script>alert(1)</script>",
    "a/b/../c",
    "50%25 off",
    "two  spaces ",
    'quotes "and" \\',
    "line\nend\ttab",
    "star*",
    "colon:comma,",
    "-minus",
    "ünïcödé 漢字 🐇",
    "\u202eright to left",
    "'; DROP TABLE z4j_django_taskrecord; --",
    "{{ 7 * 7 }} ${7 * 7}",
    "retry",
    "x" * 255,
)
#: What the schema's examples name.
EXAMPLES: Final = {
    "task": "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    "group": "0b9d3c1e-77a4-4f7e-9d3a-2a6c5e8f4b22",
    "queue": "mail",
    "worker": "w1@shop",
}


def main() -> None:
    """Make them."""
    django.setup()
    _tasks()
    _others()
    _schedules()
    _statistics()
    json.dump({"token": _token(), **_on_record()}, sys.stdout)


def _token() -> str:
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    return str(Token.objects.create(user=User.objects.create_superuser("contract")).key)


def _tasks() -> None:
    from django.utils import timezone

    from z4j_django import states
    from z4j_django.models import TaskEvent, TaskRecord

    now = timezone.now()
    odd: list[Any] = [None, [], [HOSTILE, {"a.b": {"": [10**30, -1.5e300, True]}}], HOSTILE[0]]
    records = []
    for number, text in enumerate((EXAMPLES["task"], *HOSTILE)):
        state = states.ALL[number % len(states.ALL)]
        sent = None if number % 4 == 3 else now - timedelta(days=number, microseconds=number)
        records.append(
            TaskRecord(
                task_id=text,
                name=text,
                state=state,
                queue=EXAMPLES["queue"] if number % 2 else text,
                worker=EXAMPLES["worker"] if number % 3 else text,
                args=odd[number % len(odd)],
                kwargs={text: odd[number % len(odd)], "user_id": 42},
                result=odd[-number % len(odd)],
                exception_type=f"shop.{text}"[:255],
                exception_message=text * 20,
                traceback=text * 200,
                retries=number,
                sent_at=sent,
                received_at=sent,
                started_at=sent,
                finished_at=sent,
                runtime=None if sent is None else number * 1e-7,
                root_id=EXAMPLES["task"],
                parent_id=records[-1].task_id if records else "",
                group_id=EXAMPLES["group"],
                group_index=number,
                schedule=text if number % 2 else "",
                origin=f"1@{text}"[:255],
            )
        )
    TaskRecord.objects.bulk_create(records)
    kinds = ("task_sent", "task_received", "task_started", "task_failed")
    TaskEvent.objects.bulk_create(
        TaskEvent(task_id=record.task_id, kind=kind, at=now, worker=record.worker, detail=text)
        for record, text in zip(records, HOSTILE, strict=False)
        for kind in kinds
    )


def _others() -> None:
    from django.utils import timezone

    from z4j_django import verbs
    from z4j_django.models import GroupRecord, Operation, OperationTarget, WorkerRecord

    now = timezone.now()
    for text in (EXAMPLES["group"], *HOSTILE):
        GroupRecord.objects.create(
            group_id=text, kind="chord", size=3, body_id=text, body_name=text, first_seen=now
        )
    for text in (EXAMPLES["worker"], *HOSTILE):
        WorkerRecord.objects.create(
            hostname=text, pool=text[:64], queues=[text, 7], version=text[:64], last_seen=now
        )
    for number, text in enumerate(HOSTILE):
        verb = list(verbs.VERBS)[number % len(verbs.VERBS)]
        goes_on = number % 3 == 0
        made = Operation.objects.create(
            verb=verb,
            state=Operation.State.RUNNING if goes_on else Operation.State.FINISHED,
            actor=text,
            surface="python",
            parameters={text: HOSTILE},
            selection={"search": text} if number % 2 else None,
            total=1,
            refused=not goes_on,
            created_at=now,
            updated_at=now,
            finished_at=None if goes_on else now,
        )
        outcome = "pending" if goes_on else "refused"
        OperationTarget.objects.create(
            operation=made, position=0, kind="task", target=text, outcome=outcome, reason=text
        )


def _schedules() -> None:
    from django.apps import apps
    from django.utils import timezone

    def model(name: str) -> Any:
        return apps.get_model("django_celery_beat", name).objects

    every_second = model("IntervalSchedule").create(every=1, period="seconds")
    at_night = model("CrontabSchedule").create(minute="0", hour="4", day_of_week="mon-fri")
    once = model("ClockedSchedule").create(clocked_time=timezone.now() + timedelta(days=1))
    by_the_sun = model("SolarSchedule").create(event="sunrise", latitude=48, longitude=11)
    kinds: tuple[dict[str, Any], ...] = (
        {"interval": every_second},
        {"crontab": at_night},
        {"clocked": once, "one_off": True},
        {"solar": by_the_sun, "enabled": False},
    )
    for number, text in enumerate(("nightly-report", *HOSTILE)):
        model("PeriodicTask").create(
            name=text[:200],
            task=text[:200],
            args="[1, 2]" if number % 3 else "this is no JSON",
            kwargs=json.dumps({"text": text, "password": "hunter2"}),
            description=text,
            **kinds[number % len(kinds)],
        )


def _statistics() -> None:
    from z4j_django import counters, histograms
    from z4j_django.models import Statistic

    now = int(time.time())
    Statistic.objects.bulk_create(
        Statistic(
            step=step,
            scope=counters.NAMES,
            name=text,
            queue=text,
            at=now // step * step,
            **dict.fromkeys(counters.COUNTERS, number),
            runs=histograms.packed({number: 1, 2 * number: 3}),
            waits=histograms.packed({0: number}),
        )
        for step in counters.STEPS
        for number, text in enumerate(
            sorted({text[:200].rstrip(" ") for text in ("shop.add", *HOSTILE)}), start=1
        )
    )


def _on_record() -> dict[str, Any]:
    from django.apps import apps

    from z4j_django.models import GroupRecord, Operation, Statistic, TaskRecord, WorkerRecord

    def values(queryset: Any, column: str) -> list[Any]:
        return sorted(set(queryset.values_list(column, flat=True)) - {""})

    return {
        "tasks": values(TaskRecord.objects.all(), "task_id"),
        "names": values(TaskRecord.objects.all(), "name"),
        "queues": values(TaskRecord.objects.all(), "queue"),
        "groups": values(GroupRecord.objects.all(), "group_id"),
        "workers": values(WorkerRecord.objects.all(), "hostname"),
        "operations": values(Operation.objects.all(), "pk"),
        "schedules": values(apps.get_model("django_celery_beat", "PeriodicTask").objects, "pk"),
        "counted": values(Statistic.objects.all(), "name"),
        "rows": values(TaskRecord.objects.all(), "pk"),
    }


if __name__ == "__main__":
    main()
