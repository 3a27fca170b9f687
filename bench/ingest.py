"""How fast shippers store a journal, and what a task takes on disk.

Writes a journal as a web process, a worker and two pool processes would, four events a task,
then times shippers on it, until the statistics are up to date; with more than one shipper, each
has a journal directory of its own and its share of the tasks. All databases and numbers of
shippers take turns, and so do the same ``--without`` some part of the store, to tell its cost.

    python -m bench.ingest [--short] [--tasks 250000] [--databases postgresql,sqlite,mariadb]
                           [--shippers 1,2,4] [--without statistics] [--rounds 3]
                           [--json [FILE]]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import shutil
import sys
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from bench import about, common, tables
from z4j_django.agent import events, journal

HOSTS = 3
NAMES = 100
#: One task in so many fails, each for one of so many causes.
FAILING = 50
CAUSES = 20
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "{path}", line {line}, in step_{{cause}}_{line}\n    step()\n'
    for path in ("/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", "/srv/shop/pay.py")
    for line in range(4)
)
SHORT = {"tasks": 20_000, "rounds": 3}
LONG = {"tasks": 250_000, "rounds": 3}
SIZE = """
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
COMPLETE = """
import django; django.setup()
from z4j_django.models import TaskRecord
ended = TaskRecord.objects.filter(state__in=["SUCCESS", "FAILURE"])
whole = ended.filter(sent_at__isnull=False, started_at__isnull=False)
print(whole.count())
"""


def write_journal(directory: Path, tasks: int) -> None:
    """Four segments' worth of writers, and four events of each task."""
    web, main, *children = (
        journal.Journal(directory, "default", release="2026.11.2") for _ in range(4)
    )
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
        if number % FAILING:
            result = msgspec.Raw(b"3")
            _write(child, events.TASK_SUCCEEDED, at + 0.03, runtime=0.01, result=result, **run)
        else:
            text = TRACEBACK.replace("{cause}", str(number // FAILING % CAUSES))
            failure = events.Failure("ValueError", f"no order {number}", text)
            _write(child, events.TASK_FAILED, at + 0.03, runtime=0.01, failure=failure, **run)


def _write(writer: journal.Journal, kind: str, at: float, **fields: object) -> None:
    writer.write(events.encode(events.TaskEvent(kind=kind, at=at, **fields)))


def leave_out_statistics() -> None:
    """Have nothing counted in this process."""
    from z4j_django.store import folding

    class Nothing:
        unknown: dict[str, Any] = {}  # noqa: RUF012

        def __getattr__(self, name: str) -> Any:
            return lambda *args: defaultdict(list)

    folding.Counts = Nothing


def leave_out_errors() -> None:
    """Have no account kept of causes and releases in this process."""
    from z4j_django.store import folding

    folding.Errors.add = lambda *given: None
    folding.Releases.see = lambda *given: None


#: Parts of the store that a run can do without, to tell what they cost.
WITHOUT = {"statistics": leave_out_statistics, "errors": leave_out_errors}


def ship(directory: Path, without: str) -> None:
    """Store one journal: the work of one timed process."""
    from z4j_django.agent import housekeeping, shipper, shipper_process
    from z4j_django.store import statistics
    from z4j_django.store.writer import database_sink

    if without:
        WITHOUT[without]()
    sys.setswitchinterval(shipper_process.SWITCH)
    sink = database_sink()
    ships = shipper.Shipper(directory, sink)
    turns = housekeeping.Turns(sink.housekeep)
    server = common.server_process()
    sys.stdin.readline()  # all start together
    begun, cpu = time.perf_counter(), time.process_time()
    served = common.run_time(server) if server else 0.0
    while ships.step() in (0.0, shipper.GATHER):
        turns.take(unless=False)
    statistics.compact_all()
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begun,
                "cpu": time.process_time() - cpu,
                "server": common.run_time(server) - served if server else 0.0,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def bytes_on_disk(env: dict[str, str]) -> int:
    """The size of all tables of ours with their indexes."""
    return int(common.python(["-c", SIZE], env))


def measure(vendor: str, directories: list[Path], tasks: int, without: str) -> dict[str, float]:
    """One run: a shipper for each of ``directories``, into an empty database."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(common.scratch())
        env = common.environment(stack.enter_context(common.database(vendor)))
        common.migrate(env)
        empty = bytes_on_disk(env)
        processes = []
        for directory in directories:
            own = folder / directory.name
            shutil.copytree(directory, own)
            command = [sys.executable, "-m", "bench.ingest", "--ship", str(own)]
            command += ["--without", without] if without else []
            log = folder / f"{directory.name}.log"
            processes.append((stack.enter_context(common.running(command, env, log)), log))
        for process, _ in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        found = []
        for process, log in processes:
            if not (line := process.stdout.readline()):
                raise SystemExit(f"A shipper failed:\n{log.read_text()[-3000:]}")
            found.append(json.loads(line))
        if (complete := int(common.python(["-c", COMPLETE], env))) != tasks:
            raise SystemExit(f"Of {tasks:,} tasks {complete:,} are complete in the database.")
        return {
            "events": 4 * tasks / max(each["seconds"] for each in found),
            "cpu": sum(each["cpu"] for each in found) / tasks * 1e6,
            "server": sum(each["server"] for each in found) / tasks * 1e6,
            "peak": max(each["peak"] for each in found),
            "bytes": (bytes_on_disk(env) - empty) / tasks,
        }


def measure_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every database with every number of shippers, in turns."""
    vendors, counts = options.databases.split(","), options.shippers.split(",")
    left_out = ["", *options.without.split(",")] if options.without else [""]
    results: list[dict[str, Any]] = [
        {"database": vendor, "shippers": int(count), "without": part}
        for vendor in vendors
        for count in counts
        for part in left_out
    ]
    for row in results:
        if (reason := common.missing(row["database"])) is not None:
            row["missing"] = reason
    runs: dict[int, list[dict[str, float]]] = {number: [] for number in range(len(results))}
    with common.scratch() as folder:
        journals = {}
        for count in map(int, counts):
            journals[count] = [folder / f"journal-{count}-{number}" for number in range(count)]
            for directory in journals[count]:
                write_journal(directory, options.tasks // count)
        for turn in range(options.rounds):
            for number, row in enumerate(results):
                if "missing" not in row:
                    count = row["shippers"]
                    tasks = options.tasks // count * count
                    found = measure(row["database"], journals[count], tasks, row["without"])
                    runs[number].append(found)
            common.note(f"round {turn + 1} of {options.rounds}")
    for number, row in enumerate(results):
        for key in runs[number][0] if runs[number] else ():
            row[key] = common.spread([each[key] for each in runs[number]])
    return results


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--databases", default="postgresql,sqlite,mariadb")
    parser.add_argument("--shippers", default="1,2,4")
    parser.add_argument("--without", default="", help=f"any of {', '.join(WITHOUT)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--ship", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ship:
        ship(options.ship, options.without)
        return
    common.sized(options, SHORT, LONG)
    results = measure_all(options)
    vendors = {row["database"] for row in results if "missing" not in row}
    document = about.document(
        "ingest",
        "one shipper, two and four on as many journal directories, into each database",
        {"tasks": options.tasks, "rounds": options.rounds},
        results,
        servers=sorted(vendors),
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
