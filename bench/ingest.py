"""How fast shippers store a journal, and what a task takes on disk.

Writes a journal as a web process, a worker and two pool processes would, four events a task,
then times shippers on it; with ``--shippers 4``, four processes on a journal each.

    python -m bench.ingest [--tasks 250000] [--databases postgresql,sqlite,mariadb]
                           [--shippers 1,2,4] [--rounds 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import msgspec

from bench import common
from z4j_django.agent import events, journal

HOSTS = 3
NAMES = 50


def write_journal(directory: Path, tasks: int) -> None:
    """Four segments' worth of writers, and four events of each task."""
    web, main, *children = (journal.Journal(directory, "default") for _ in range(4))
    begin = time.time()
    for number in range(tasks):
        task_id, at = str(uuid.uuid4()), begin + number * 1e-3
        name, worker = f"shop.task_{number % NAMES}", f"celery@host-{number % HOSTS}"
        facts = {"name": name, "queue": "celery", "routing_key": "celery"}
        facts |= {"root_id": task_id, "origin": "gen123@web-1"}
        content = {"args": b"[1,2]", "kwargs": b'{"user_id":42}'}
        message = events.Message(
            **facts,
            **{key: msgspec.Raw(value) for key, value in content.items()},
            params=("order", "line"),
            complete=True,
        )
        event = {"task_id": task_id, "name": name}
        run = {**event, "worker": worker}
        child = children[number % 2]
        _write(web, events.TASK_SENT, at, message=message, **event)
        received = events.Message(**facts)
        _write(main, events.TASK_RECEIVED, at + 0.01, sent_at=at, message=received, **run)
        _write(child, events.TASK_STARTED, at + 0.02, **run)
        result = msgspec.Raw(b"3")
        _write(child, events.TASK_SUCCEEDED, at + 0.03, runtime=0.01, result=result, **run)


def _write(writer: journal.Journal, kind: str, at: float, **fields: object) -> None:
    writer.write(events.encode(events.TaskEvent(kind=kind, at=at, **fields)))


def ship(directory: Path) -> None:
    """Store one journal: the work of one timed process."""
    import resource

    from z4j_django.agent import shipper
    from z4j_django.store.writer import database_sink

    ships = shipper.Shipper(directory, database_sink())
    sys.stdin.readline()  # all start together
    begun, cpu = time.perf_counter(), time.process_time()
    if not ships.drain(3600.0):
        raise SystemExit("the journal was not stored")
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begun,
                "cpu": time.process_time() - cpu,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def bytes_on_disk(vendor: str, url: str) -> int:
    """The size of all tables of ours with their indexes."""
    code = """
import django; django.setup()
from django.apps import apps
from django.db import connection
tables = [model._meta.db_table for model in apps.get_app_config("z4j_django").get_models()]
with connection.cursor() as cursor:
    if connection.vendor == "postgresql":
        cursor.execute("SELECT sum(pg_total_relation_size(name::regclass))"
                       " FROM unnest(%s::text[]) name", [tables])
    elif connection.vendor == "mysql":
        cursor.execute("ANALYZE TABLE " + ", ".join(tables)); cursor.fetchall()
        cursor.execute("SELECT sum(data_length + index_length) FROM information_schema.tables"
                       " WHERE table_schema = database() AND table_name IN %s", [tuple(tables)])
    else:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)"); cursor.fetchall()
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    print(int(cursor.fetchone()[0]))
"""
    return int(run(["-c", code], url).stdout)


def run(arguments: list[str], url: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bench.project"}
    return subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=common.REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )


def measure(vendor: str, shippers: int, tasks: int) -> dict[str, float]:
    """One run: so many shippers, each with its share of the tasks."""
    with tempfile.TemporaryDirectory() as folder, common.database(vendor) as url:
        run(["-m", "django", "migrate", "--verbosity", "0"], url)
        empty = bytes_on_disk(vendor, url)
        directories = [Path(folder) / f"journal-{number}" for number in range(shippers)]
        for directory in directories:
            write_journal(directory, tasks // shippers)
        env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bench.project"}
        pipe = subprocess.PIPE
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.ingest", "--ship", str(directory)],
                env=env,
                cwd=common.REPOSITORY,
                stdin=pipe,
                stdout=pipe,
                text=True,
            )
            for directory in directories
        ]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [json.loads(process.communicate()[0]) for process in processes]
        return {
            "events": 4 * tasks / max(each["seconds"] for each in found),
            "cpu": sum(each["cpu"] for each in found) / tasks * 1e6,
            "peak": max(each["peak"] for each in found),
            "bytes": (bytes_on_disk(vendor, url) - empty) / tasks,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=250_000)
    parser.add_argument("--databases", default="postgresql,sqlite,mariadb")
    parser.add_argument("--shippers", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ship", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ship:
        ship(options.ship)
        return
    results = {}
    for vendor in options.databases.split(","):
        for shippers in map(int, options.shippers.split(",")):
            runs = [measure(vendor, shippers, options.tasks) for _ in range(options.rounds)]
            results[f"{vendor}, {shippers} shippers"] = {
                key: statistics.median(each[key] for each in runs) for key in runs[0]
            }
    if options.json:
        print(json.dumps({"machine": common.machine(), "results": results}))
        return
    print(f"{common.machine()}; {options.tasks:,} tasks of four events\n")
    rows = [
        [name, *(f"{row[key]:,.0f}" for key in ("events", "cpu", "peak", "bytes"))]
        for name, row in results.items()
    ]
    headings = ["database", "events/s", "µs of CPU a task", "peak MB", "bytes on disk a task"]
    print(common.table(headings, rows))


if __name__ == "__main__":
    main()
