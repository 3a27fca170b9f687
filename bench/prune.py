"""What a run of ``z4j_prune`` does to those who read the list meanwhile. PostgreSQL.

    DATABASE_URL=postgresql://… python -m bench.prune --rows 10000000 --prune 1000000

Fills an empty database with tasks of a hundred days, then reads the list in a loop: alone, while
the oldest are pruned in another process, and after that.
"""
# ruff: noqa: E402  # models can be imported once Django is set up

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["Z4J_DISABLED"] = "1"

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from z4j_django.models import TaskRecord
from z4j_django.queries import tasks

PAGE = 51
SPAN = timedelta(days=100)

FILL_TASKS = """
INSERT INTO z4j_django_taskrecord (project, task_id, name, state, queue, exchange, routing_key,
    worker, pid, args, kwargs, result, exception_type, exception_message, traceback, retries,
    deliveries, sent_at, received_at, started_at, finished_at, runtime, root_id, parent_id,
    group_id, group_index, chord_id, schedule, origin, attempt, state_order, facts_order)
SELECT 'default', id, 'shop.tasks.t' || mod(n, 100),
    CASE WHEN mod(n, 1000) < 975 THEN 'SUCCESS' WHEN mod(n, 1000) < 995 THEN 'FAILURE'
        ELSE 'REVOKED' END,
    'q' || mod(n, 7), '', 'q' || mod(n, 7), 'celery@w' || mod(n, 8), 1,
    '[1, 2]', '{"user_id": 42}', 'null', '', '', '', 0, 1, at, at, at, at, 0.02, id, '',
    CASE WHEN mod(n, 10) = 0 THEN md5((n / 100)::text)::uuid::text ELSE '' END,
    CASE WHEN mod(n, 10) = 0 THEN mod(n / 10, 10) END, '', '', '9@h', 0, 1, 1
FROM (SELECT n, md5(n::text)::uuid::text AS id, now() - %s * (1 - n / %s::float) AS at
    FROM generate_series(1, %s) AS n) AS s
"""
FILL_EVENTS = """
INSERT INTO z4j_django_taskevent (project, task_id, kind, at, retries, worker, detail)
SELECT 'default', md5(n::text)::uuid::text, 'task_' || kind, now(), 0, 'celery@w1', ''
FROM generate_series(1, %s) AS n, unnest(ARRAY['sent', 'received', 'started', 'succeeded']) AS kind
"""


def fill(rows: int, pruned: int) -> None:
    call_command("migrate", verbosity=0)
    if TaskRecord.objects.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(FILL_TASKS, [SPAN, rows, rows])
        cursor.execute(FILL_EVENTS, [2 * pruned])
        cursor.execute("VACUUM ANALYZE")


def pages() -> dict[str, Callable[[], Any]]:
    newest = tasks.summaries(TaskRecord.objects.order_by("-id"))
    return {
        "newest": lambda: list(newest[:PAGE]),
        "failures": lambda: list(newest.filter(state="FAILURE")[:PAGE]),
        "one name": lambda: list(newest.filter(name="shop.tasks.t42")[:PAGE]),
    }


def read(until: Callable[[], bool]) -> dict[str, list[float]]:
    """Milliseconds of each page, read one after the other."""
    found: dict[str, list[float]] = {name: [] for name in pages()}
    while not until():
        for name, page in pages().items():
            begun = time.perf_counter()
            page()
            found[name].append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.005)
    return found


def for_seconds(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def figures(found: dict[str, list[float]]) -> Iterator[tuple[str, dict[str, float]]]:
    for name, times in found.items():
        cuts = statistics.quantiles(times, n=100)
        yield name, {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--prune", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fill(options.rows, options.prune)
    cutoff = TaskRecord.objects.order_by("id")[options.prune : options.prune + 1].get().sent_at
    hours = int((timezone.now() - cutoff).total_seconds() // 3600)
    command = [sys.executable, "-m", "django", "z4j_prune", "--older-than", f"{hours}h", "--json"]
    results = {"before": read(for_seconds(options.seconds))}
    pruning = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    results["during"] = read(lambda: pruning.poll() is not None)
    results["after"] = read(for_seconds(options.seconds))
    report = {when: dict(figures(found)) for when, found in results.items()}
    pruned = json.loads(pruning.communicate()[0])
    if options.json:
        print(json.dumps({"pruned": pruned, "milliseconds": report}))
        return
    print(f"{options.rows:,} tasks, of which {sum(pruned['tasks'].values()):,} were pruned in")
    print(
        f"{pruned['seconds']:.1f} s, with {pruned['events']:,} events, {pruned['groups']:,} groups"
    )
    for name in report["before"]:
        for when, pages_then in report.items():
            shown = "  ".join(f"{key} {value:7.2f} ms" for key, value in pages_then[name].items())
            print(f"{name:10} {when:7} {shown}")


if __name__ == "__main__":
    main()
