"""What a round of conditions costs: quiet, with findings, and where all bounds are reached.

On a seeded PostgreSQL database (see ``bench.read --database``): each scene is set up in a
transaction that is rolled back, with what the rounds store. CPU is that of this process and that
of its server process, apart from each other; a round is made every 15 seconds.

    python -m bench.watch --database URL [--rounds 20] [--json [FILE]]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from bench import about, common, seeding_tasks, tables

SHORT = {"rounds": 5}
LONG = {"rounds": 20}
#: How many things are wrong of each kind, by the scene.
SCENES = {"quiet": 0, "with findings": 20, "at all bounds": 2_000}
#: Periodic tasks, by the scene: as many as a round reads.
SCHEDULES = {"quiet": 300, "with findings": 300, "at all bounds": 1_000}


def set_up(now: datetime, count: int, schedules: int) -> None:
    """Have everything be well at a moment, but for so many of each kind."""
    from z4j_django import handover, models

    models.WorkerRecord.objects.update(last_seen=now, started_at=now - timedelta(days=1))
    models.JournalRecord.objects.update(seen_at=now)
    models.JournalLoss.objects.all().delete()
    entries = [
        {"name": f"every-{number}", "task": "bank.report_1", "every": 300.0}
        for number in range(schedules)
    ]
    handover._told = {
        "schedules": {"entries": entries, "tables": ""},
        "broker": {"queues": [], "connection": {}, "unknown": "It is not asked here."},
        "results": {"polls": True},
    }
    recent = models.TaskRecord.objects.order_by("-pk").values_list("pk", flat=True)[:schedules]
    for number, key in enumerate(list(recent)):
        models.TaskRecord.objects.filter(pk=key).update(schedule=f"every-{number}", sent_at=now)
    for make in (unwell_tasks, unwell_chords, unwell_numbers, unwell_errors) if count else ():
        make(now, count)
    if count:
        late = [f"every-{number}" for number in range(count)]
        models.TaskRecord.objects.filter(schedule__in=late).update(schedule="")
        silent = models.WorkerRecord.objects.order_by("-pk")[:count].values("pk")
        models.WorkerRecord.objects.filter(pk__in=list(silent.values_list("pk", flat=True))).update(
            last_seen=now - timedelta(minutes=20)
        )


def unwell_tasks(now: datetime, count: int) -> None:
    """Tasks that run long, were delivered again, are lost, or have expired."""
    from z4j_django.models import TaskRecord

    kinds: dict[str, dict[str, Any]] = {
        "STARTED": {"started_at": now - timedelta(hours=3), "deliveries": 2},
        "RECEIVED": {"deliveries": 2},
        "REVOKED": {"exception_message": "expired", "finished_at": now - timedelta(minutes=9)},
        "PENDING": {"expires": now - timedelta(minutes=9), "received_at": None},
    }
    for state, fields in kinds.items():
        TaskRecord.objects.bulk_create(
            TaskRecord(
                **{
                    "task_id": f"{state}-{number}",
                    "state": state,
                    "name": f"bank.report_{number % seeding_tasks.REPORTS}",
                    "queue": f"reports_{number % seeding_tasks.REPORT_QUEUES}",
                    "worker": "" if state == "PENDING" else f"celery@pod-{number % 200}",
                    "sent_at": now - timedelta(hours=4),
                    "received_at": now - timedelta(hours=3),
                    **fields,
                }
            )
            for number in range(count)
        )


def unwell_chords(now: datetime, count: int) -> None:
    """Chords of four whose bodies were not sent."""
    from z4j_django.models import GroupRecord, TaskRecord

    chords, ended = range(count), now - timedelta(minutes=9)
    GroupRecord.objects.bulk_create(
        GroupRecord(
            group_id=f"chord-{number}",
            kind="chord",
            size=4,
            body_id=f"body-{number}",
            body_name="shop.body",
            first_seen=ended,
        )
        for number in chords
    )
    told = {"name": "shop.member", "sent_at": ended, "received_at": ended, "finished_at": ended}
    TaskRecord.objects.bulk_create(
        TaskRecord(
            task_id=f"member-{number}-{place}",
            state="SUCCESS",
            group_id=f"chord-{number}",
            group_index=place,
            chord_id=f"body-{number}",
            **told,
        )
        for number in chords
        for place in range(4)
    )
    TaskRecord.objects.bulk_create(
        TaskRecord(task_id=f"body-{number}", state="PENDING", name="shop.body") for number in chords
    )


def unwell_numbers(now: datetime, count: int) -> None:
    """Names that fail, and queues that fill."""
    from z4j_django import counters
    from z4j_django.models import QueueSample, Statistic

    names = Statistic.objects.filter(
        step=counters.MINUTE,
        scope=counters.NAMES,
        at__gt=now.timestamp() - 900,
        name__startswith="bank.report_",
    )
    failing = [f"bank.report_{number}" for number in range(count)]
    names.filter(name__in=failing).update(failed=1)
    queues = [f"reports_{number}" for number in range(min(count, 200))]
    samples = QueueSample.objects.filter(queue__in=queues, at__gt=now - timedelta(minutes=10))
    samples.update(depth=5_000, oldest_at=now - timedelta(hours=1))


def unwell_errors(now: datetime, count: int) -> None:
    """Errors that are new, and that came back."""
    from z4j_django.models import ErrorGroup

    newest = ErrorGroup.objects.order_by("-pk").values_list("pk", flat=True)
    fresh, back = list(newest[:count]), list(newest[count : 2 * count])
    ErrorGroup.objects.filter(pk__in=fresh).update(state="open", first_seen=now, last_seen=now)
    ErrorGroup.objects.filter(pk__in=back).update(state="open", regressed_at=now)


def measure(now: datetime, rounds: int) -> dict[str, Any]:
    """The medians of some rounds, in milliseconds: of each condition, and of what is stored."""
    from z4j_django.conditions import registry
    from z4j_django.models import ConditionRecord
    from z4j_django.watch import rounds as watch

    pid = common.server_process()
    if pid is None:
        raise SystemExit("It takes a PostgreSQL on this machine, whose CPU can be told.")
    own: dict[str, list[float]] = defaultdict(list)
    server: dict[str, list[float]] = defaultdict(list)
    watch._apart = contextlib.nullcontext  # a shipper's round is in no transaction
    limits = registry.current()
    keys = [*limits, "stored"]
    told: set[str] = set()
    for turn in range(rounds + 2):
        run = watch.evaluate("default", now, limits, told)
        for key in keys:
            begun, before = time.thread_time(), common.run_time(pid)
            next(run, None)
            if turn > 1:
                own[key].append((time.thread_time() - begun) * 1e3)
                server[key].append((common.run_time(pid) - before) * 1e3)
    if told:
        raise SystemExit(f"Not evaluated: {', '.join(sorted(told))}.")
    return {
        "process": {key: statistics.median(own[key]) for key in keys},
        "server": {key: statistics.median(server[key]) for key in keys},
        "rounds": {
            "process": common.spread([sum(turn) for turn in zip(*own.values(), strict=True)]),
            "server": common.spread([sum(turn) for turn in zip(*server.values(), strict=True)]),
        },
        "findings": ConditionRecord.objects.filter(is_open=True).count(),
    }


def watch(rounds: int) -> None:
    """The work of one process: all scenes on the database that the environment names."""
    import django

    django.setup()
    from django.db import transaction

    from z4j_django.models import TaskRecord

    now = TaskRecord.objects.order_by("-pk").values_list("sent_at", flat=True)[0]
    found = {}
    for scene, count in SCENES.items():
        with transaction.atomic():
            set_up(now, count, SCHEDULES[scene])
            found[scene] = measure(now, rounds)
            transaction.set_rollback(True)
    print(json.dumps(found))


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--database", metavar="URL", required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.sized(options, SHORT, LONG)
    if options.child:
        watch(options.rounds)
        return
    env = common.environment(
        options.database, DJANGO_SETTINGS_MODULE="tests.settings", Z4J_DISABLED="1"
    )
    command = ["-m", "bench.watch", "--child", "--database", options.database]
    results = json.loads(common.python([*command, "--rounds", str(options.rounds)], env))
    document = about.document(
        "watch",
        "rounds of conditions on one database, in three scenes",
        {"rounds": options.rounds},
        results,
        servers=["postgresql"],
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
