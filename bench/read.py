"""How long the admin's pages take on a large table, and how the database finds their rows.

Seeds a database of its own beside the given one (``test_…``), reads each page through Django's
test client in turns, prints p50 and p95, and drops the database again.

    python bench/read.py [--database URL] [--rows 1000000 | --large | --short] [--keep] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: Rows that one statement seeds.
CHUNK = 100_000
#: The newest tasks, which still wait.
BACKLOG = 2000
#: A number below 1,000 that follows no order.
DICE = "(i * 7919) % 1000"
SIZES = {"short": 20_000, "long": 1_000_000, "large": 10_000_000}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--database", default=os.environ.get("DATABASE_URL"))
    parser.add_argument("--rows", type=int, default=SIZES["long"])
    parser.add_argument("--large", dest="rows", action="store_const", const=SIZES["large"])
    parser.add_argument("--short", dest="rows", action="store_const", const=SIZES["short"])
    parser.add_argument("--calls", type=int, default=60, help="of each page")
    parser.add_argument("--events-of", type=int, default=10, help="one task in so many has events")
    parser.add_argument("--keep", action="store_true", help="leave the database for another run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def words(vendor: str) -> dict[str, str]:
    """What the databases spell differently in the seeding statements."""
    start = "2026-01-01 00:00:00"
    return {
        "postgresql": {
            "text": "varchar",
            "at": f"timestamptz '{start}Z' + ({{}}) * interval '1 s'",
        },
        "sqlite": {"text": "text", "at": f"datetime('{start}', '+' || ({{}}) || ' seconds')"},
        "mysql": {"text": "char", "at": f"timestamp('{start}') + INTERVAL ({{}}) SECOND"},
    }[vendor]


def uuid_of(number: str, text: str) -> str:
    h = f"md5(cast({number} as {text}))"
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({h}, {start}, {length})" for start, length in parts)


def mix(rows: int, text: str) -> dict[str, str]:
    """What filters look at: few names have most tasks, most succeed, some names are no more."""
    number = f"cast({{}} as {text})"
    old = f"i <= {rows // 10} and i % 5 = 0"
    return {
        "state": f"case when i > {rows - BACKLOG} then 'PENDING' "
        f"when i > {rows - BACKLOG - 20} then 'RECEIVED' "
        f"when i > {rows - BACKLOG - 30} then 'STARTED' when {DICE} < 20 then 'FAILURE' "
        f"when {DICE} < 25 then 'REVOKED' when {DICE} = 25 and i % 7 = 0 then 'RETRY' "
        "else 'SUCCESS' end",
        "name": f"case when {old} then 'legacy.sync_' || {number.format('i % 20')}"
        f" when i % 1000 < 500 then 'shop.tasks.order_' || {number.format('i % 5')}"
        f" when i % 1000 < 900 then 'shop.mail.send_' || {number.format('i % 37')}"
        f" when i % 1000 < 999 then 'bank.report_' || {number.format('i % 150')}"
        " else 'shop.audit.rare' end",
        "queue": "case when i % 100000 = 7 then 'seldom' when i % 10 < 7 then 'celery' "
        "when i % 10 < 9 then 'mail' else 'reports' end",
        "worker": f"case when i > {rows - BACKLOG} then '' when i <= {rows // 20} "
        f"then 'celery@retired' else 'celery@pod-' || {number.format('i % 40')} end",
    }


def task_columns(rows: int, vendor: str) -> dict[str, str]:
    """Each column of a task as SQL over ``i``."""
    text, at = words(vendor)["text"], words(vendor)["at"]
    own = uuid_of("i", text)
    child = "i % 4 = 1"
    waits = f"i > {rows - BACKLOG}"
    sent, done = at.format("i"), at.format("i + 2")
    failed = f"{DICE} < 20 and not ({waits})"
    return {
        **mix(rows, text),
        "project": "'default'",
        "task_id": own,
        "exchange": "''",
        "routing_key": "'celery'",
        "pid": "1234",
        "args": "'[1, 2]'",
        "kwargs": """'{"user_id": 42}'""",
        "result": "'3'",
        "exception_type": f"case when {failed} then 'ValueError' else '' end",
        "exception_message": f"case when {failed} then 'no such order' else '' end",
        "traceback": f"case when {failed} then '{'  File x, line 1, in y. ' * 20}' else '' end",
        "retries": "0",
        "deliveries": "1",
        "sent_at": sent,
        "received_at": f"case when {waits} then null else {sent} end",
        "started_at": f"case when {waits} then null else {sent} end",
        "finished_at": f"case when {waits} then null else {done} end",
        "runtime": f"case when {waits} then null else 1.5 end",
        "root_id": f"case when {child} then {uuid_of('i - 1', text)} else {own} end",
        "parent_id": f"case when {child} then {uuid_of('i - 1', text)} else '' end",
        "group_id": f"case when i % 200 < 20 then {uuid_of('i % 20 - i', text)} else '' end",
        "group_index": "case when i % 200 < 20 then i % 20 else null end",
        "chord_id": "''",
        "schedule": "''",
        "origin": "'4321@web'",
        "attempt": "0",
        "state_order": "i",
        "facts_order": "i",
    }


def event_columns(vendor: str) -> dict[str, str]:
    text, at = words(vendor)["text"], words(vendor)["at"]
    kind = (
        "case k when 0 then 'task_sent' when 1 then 'task_received' "
        "when 2 then 'task_started' else 'task_succeeded' end"
    )
    return {
        "project": "'default'",
        "task_id": uuid_of("i", text),
        "kind": kind,
        "at": at.format("i + k"),
        "retries": "0",
        "worker": f"'celery@pod-' || cast(i % 40 as {text})",
        "pid": "1234",
        "detail": "''",
    }


def group_columns(vendor: str) -> dict[str, str]:
    text, at = words(vendor)["text"], words(vendor)["at"]
    return {
        "project": "'default'",
        "group_id": uuid_of("-i", text),
        "kind": "'group'",
        "size": "20",
        "body_id": "''",
        "body_name": "''",
        "root_id": "''",
        "first_seen": at.format("i"),
    }


def insert(cursor: Any, model: Any, columns: dict[str, str], rows: int, where: str) -> None:
    """Fill a table from the numbers 1 to ``rows`` (``i``) for which ``where`` holds."""
    digits = "(select 0 as d" + "".join(f" union all select {n}" for n in range(1, 10)) + ")"
    tables = ", ".join(f"{digits} d{n}" for n in range(5))
    number = " + ".join(f"d{n}.d * {10**n}" for n in range(5))
    integer = "signed" if cursor.db.vendor == "mysql" else "bigint"
    names, values = ", ".join(columns), ", ".join(columns.values())
    table = model._meta.db_table
    events = "(select 0 as k union all select 1 union all select 2 union all select 3)"
    beside = f" cross join {events} kinds" if "kind" in columns and "detail" in columns else ""
    for first in range(1, rows + 1, CHUNK):
        series = f"(select cast({first} + {number} as {integer}) as i from {tables}) series"
        cursor.execute(
            f"insert into {table} ({names}) select {values} from {series}{beside} "
            f"where i <= {rows} and {where} order by i"
        )


def seed(rows: int, events_of: int) -> None:
    from django.db import connection

    from z4j_django.models import GroupRecord, TaskEvent, TaskRecord, WorkerRecord

    vendor = connection.vendor
    large = (TaskRecord, TaskEvent)
    with connection.schema_editor() as editor:
        for model in large:
            for index in model._meta.indexes:
                editor.remove_index(model, index)
    with connection.cursor() as cursor:
        if vendor == "mysql":
            cursor.execute("set session sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')")
        insert(cursor, TaskRecord, task_columns(rows, vendor), rows, "1 = 1")
        insert(cursor, TaskEvent, event_columns(vendor), rows, f"i % {events_of} = 0")
        insert(cursor, GroupRecord, group_columns(vendor), rows, "i % 200 = 0")
    with connection.schema_editor() as editor:
        for model in large:
            for index in model._meta.indexes:
                editor.add_index(model, index)
    names = ["celery@retired", *(f"celery@pod-{number}" for number in range(40))]
    WorkerRecord.objects.bulk_create(WorkerRecord(hostname=name) for name in names)
    with connection.cursor() as cursor:
        # SQLite's statistics are left as few projects have them: without.
        if vendor == "postgresql":
            cursor.execute("vacuum analyze")
        elif vendor == "mysql":
            tables = ", ".join(model._meta.db_table for model in large)
            cursor.execute(f"analyze table {tables}")


def change(record: Any) -> str:
    from django.urls import reverse

    return reverse(f"admin:z4j_django_{record._meta.model_name}_change", args=[record.pk])


def pages(rows: int) -> dict[str, list[str]]:
    """Each page under its name, with several addresses that take turns."""
    from django.urls import reverse

    from z4j_django.models import GroupRecord, TaskRecord, WorkerRecord

    def changelist(model: str, query: str = "") -> str:
        return reverse(f"admin:z4j_django_{model}_changelist") + query

    places = [rows * part // 17 // 10 * 10 for part in range(1, 17)]
    known = list(TaskRecord.objects.filter(pk__in=places).only("task_id"))
    parts = [place // 200 for place in places]
    groups = list(GroupRecord.objects.filter(pk__in=[part for part in parts if part]))
    workers = WorkerRecord.objects.filter(hostname__in=["celery@pod-3", "celery@pod-7"])
    queries = {
        "list": [""],
        "list, deep": [f"?before={place}" for place in places],
        "state SUCCESS": ["?state=SUCCESS"],
        "state FAILURE": ["?state=FAILURE"],
        "state PENDING": ["?state=PENDING"],
        "state STARTED": ["?state=STARTED"],
        "state IGNORED (none)": ["?state=IGNORED"],
        "name, frequent": ["?name=shop.tasks.order_1"],
        "name, rare": ["?name=shop.audit.rare"],
        "name, no longer run": ["?name=legacy.sync_5"],
        "queue": ["?queue=mail"],
        "queue, rare": ["?queue=seldom"],
        "worker": ["?worker=celery@pod-7"],
        "worker, gone": ["?worker=celery@retired"],
        "state and name": ["?state=FAILURE&name=shop.mail.send_3"],
        "queue and worker": ["?queue=mail&worker=celery@pod-8"],
        "search, id": [f"?q={task.task_id}" for task in known],
        "search, id prefix": [f"?q={task.task_id[:8]}" for task in known],
        "search, short prefix": [f"?q={task.task_id[:4]}" for task in known],
        "search, name": ["?q=shop.mail.send_3"],
        "search, broad name": ["?q=shop"],
        "search, names no longer run": ["?q=legacy"],
        "search, nothing": ["?q=nothing.like.it"],
    }
    found = {
        name: [changelist("taskrecord", one) for one in some] for name, some in queries.items()
    }
    return found | {
        "task": [change(task) for task in known],
        "groups": [changelist("grouprecord")],
        "group": [change(group) for group in groups],
        "workers": [changelist("workerrecord")],
        "worker's page": [change(worker) for worker in workers],
    }


def rounds(found: dict[str, list[str]], calls: int) -> Iterator[tuple[str, str]]:
    """Every page once, then again: a slow minute of the machine meets all of them."""
    for turn in range(calls):
        for name, addresses in found.items():
            yield name, addresses[turn % len(addresses)]


def fetch(client: Any, address: str) -> float:
    begun = time.perf_counter()
    response = client.get(address)
    took = time.perf_counter() - begun
    if response.status_code != 200:
        raise SystemExit(f"{address} answered {response.status_code}.")
    return took * 1000


def slowest(client: Any, address: str) -> tuple[int, str]:
    """The number of queries of a page, and how its slowest one finds its rows."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.plans import explain

    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    # Those that read records: not choices, not totals, not sessions.
    reads = [one for one in captured if one["sql"].startswith("SELECT") and "project" in one["sql"]]
    rows = [one for one in reads if " ORDER BY " in one["sql"]]
    longest = max(rows, key=lambda query: float(query["time"]))
    return len(captured), str(explain(connection, longest["sql"]))


def measure(calls: int, rows: int) -> dict[str, dict[str, Any]]:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client.force_login(user)
    found = pages(rows)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _, address in rounds(found, 2):
        fetch(client, address)
    for name, address in rounds(found, calls):
        times[name].append(fetch(client, address))
    results = {}
    for name, took in times.items():
        queries, plan = slowest(client, found[name][0])
        results[name] = {
            "p50": statistics.median(took),
            "p95": statistics.quantiles(took, n=20)[-1],
            "queries": queries,
            "plan": plan,
        }
    return results


def machine() -> str:
    import django
    from django.db import connection

    version = ".".join(map(str, connection.get_database_version()))
    cores = os.cpu_count()
    return (
        f"{connection.display_name} {version}, Django {django.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}, {cores} cores"
    )


def report(rows: int, results: dict[str, dict[str, Any]], seeded: float, as_json: bool) -> None:
    if as_json:
        document = {"machine": machine(), "rows": rows, "unit": "ms", "results": results}
        print(json.dumps(document))
        return
    print(f"{machine()}; {rows:,} tasks, seeded in {seeded:.0f} s")
    print(f"{'ms':<30}{'p50':>9}{'p95':>9}{'queries':>9}  slowest query by")
    for name, row in results.items():
        print(f"{name:<30}{row['p50']:>9.1f}{row['p95']:>9.1f}{row['queries']:>9}  {row['plan']}")


def main() -> None:
    options = arguments()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as directory:
        os.environ["DATABASE_URL"] = options.database or f"sqlite:///{directory}/bench.sqlite3"
        os.environ.setdefault("DEMO_DIR", directory)
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        import django
        from django.conf import settings

        default = settings.DATABASES["default"]
        if default["ENGINE"].endswith("sqlite3"):
            default["TEST"] = {"NAME": f"{default['NAME']}.bench"}
        django.setup()
        run(options)


def run(options: argparse.Namespace) -> None:
    from django.db import connection

    from z4j_django.models import TaskRecord

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(
        verbosity=0, autoclobber=True, serialize=False, keepdb=options.keep
    )
    begun = time.perf_counter()
    try:
        if not TaskRecord.objects.exists():
            seed(options.rows, options.events_of)
        seeded = time.perf_counter() - begun
        report(options.rows, measure(options.calls, options.rows), seeded, options.json)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0, keepdb=options.keep)


if __name__ == "__main__":
    main()
