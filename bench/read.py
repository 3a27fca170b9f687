"""How long the admin's pages and the API's lists take on a large table, and how rows are found.

Seeds a database of its own on each server, reads each page through Django's test client in
turns, prints p50 and p95, the number of queries and the plan, and drops the database again. With
``--database URL`` it works on that one: fills its tables if they are empty, and leaves it for
another run.

    python -m bench.read [--short | --large] [--rows 1000000] [--calls 60]
                         [--databases postgresql,sqlite,mariadb | --database URL] [--only TEXT]
                         [--json [FILE]]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench import about, common, seeding, tables

SHORT = {"rows": 100_000, "calls": 20}
LONG = {"rows": 1_000_000, "calls": 60}
LARGE = 10_000_000


def change(record: Any) -> str:
    from django.urls import reverse

    return reverse(f"admin:z4j_django_{record._meta.model_name}_change", args=[record.pk])


def pages(rows: int) -> dict[str, list[str]]:
    """Each page under its name, with several addresses that take turns."""
    from django.urls import reverse

    from bench.pages import control_room
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
        "operations": [changelist("operation")],
        "operations, verb": [changelist("operation", "?verb=retry_group")],
        "operations of a task": [changelist("operation", f"?q={task.task_id}") for task in known],
        "journals": [changelist("journalrecord")],
        "losses": [changelist("journalloss")],
        **control_room(),
        **api(rows, known, groups),
    }


def api(rows: int, tasks: list[Any], groups: list[Any]) -> dict[str, list[str]]:
    """Each list of the API, and the filters that the admin's own lists do not have."""
    from z4j_django.models import TaskRecord

    day = f"{TaskRecord.objects.get(pk=rows // 2).sent_at:%Y-%m-%d}"
    filters = {
        "": "",
        "state": "state:FAILURE",
        "state and name": "state:FAILURE name:shop.mail.*",
        "names by their beginning": "name:bank.report_1*",
        "name, narrowed": "name:shop.tasks.order_1 runtime:>1h",
        "arguments": "queue:mail kwargs.user_id:43",
        "error": "error:ValueError",
        "sent on one day": f"sent:{day}",
        "sent long ago, failed": f"sent:..{day} state:FAILURE",
        "no index": "runtime:>1h",
        "root": f"root:{tasks[0].task_id}",
    }
    found = {
        f"API: tasks {name}".rstrip(): [address("tasks", **({"q": text} if text else {}))]
        for name, text in filters.items()
    }
    return found | {
        "API: tasks by sent_at": [address("tasks", ordering="-sent_at")],
        "API: task": [address("task", task.task_id) for task in tasks],
        "API: events": [address("task-events", task.task_id) for task in tasks],
        "API: graph of a task": [address("task-graph", task.task_id) for task in tasks],
        "API: groups": [address("groups")],
        "API: group": [address("group", group.group_id) for group in groups],
        "API: queues": [address("queues")],
        "API: workers": [address("workers")],
        "API: operations": [address("operations")],
        "API: operations of a task": [address("operations", target=tasks[0].task_id)],
        "API: health": [address("health")],
        **numbers(),
    }


def address(route: str, *args: Any, **query: str) -> str:
    """One of the API."""
    from django.urls import reverse

    found = reverse(f"z4j_api:{route}", args=args)
    return f"{found}?{urlencode(query)}" if query else found


def numbers() -> dict[str, list[str]]:
    """What is counted, what fails and what is wrong, over the ranges that a page offers."""
    from z4j_django.models import ErrorGroup

    # The newest tasks wait, and their time moves on: so ranges end where the rows do.
    until = newest()
    ends = f"{until:%Y-%m-%dT%H:%M:%SZ}"
    ranges = {
        "an hour": {"since": f"{until - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "until": ends},
        "a day": {"since": f"{until - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", "until": ends},
        "a week": {"since": f"{until - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}", "until": ends},
        "90 days": {"since": f"{until - timedelta(days=89):%Y-%m-%dT%H:%M:%SZ}", "until": ends},
    }
    order, report = "shop.tasks.order_1", "bank.report_7"
    found: dict[str, list[str]] = {}
    for told, span in ranges.items():
        found |= {
            f"API: statistics, {told}": [address("statistics", **span)],
            f"API: statistics of a name, {told}": [address("statistics", name=order, **span)],
            f"API: statistics of a queue, {told}": [address("statistics", queue="mail", **span)],
            f"API: task types, {told}": [
                address("task-types", **span),
                address("task-types", ordering="failed", limit="100", **span),
                address("task-types", ordering="name", compare="week", **span),
            ],
            f"API: task type, {told}": [
                address("task-type", name, compare="day", **span)
                for name in (order, report, "shop.mail.send_3")
            ],
        }
    errors = ErrorGroup.objects.filter(state=ErrorGroup.State.OPEN)
    known = [
        [one.error_id for one in errors.filter(fingerprint__lt=10_000).order_by(by)[:8]]
        for by in ("-count", "count")
    ]
    filters = {
        "error": [f"error:{one}" for one in known[0]],
        "error, and state": [f"error:{known[0][0]} state:FAILURE"],
        "release": ["release:2026.3.0"],
        "release and state": ["release:2026.3.0 state:FAILURE"],
        "release and name": [f"release:2026.19.0 name:{report}"],
        **{f"is:{name}": [f"is:{name}"] for name in statuses()},
    }
    found |= {
        f"API: tasks {name}": [address("tasks", q=text) for text in some]
        for name, some in filters.items()
    }
    return found | {
        "API: errors": [address("errors"), address("errors", ordering="-count", limit="100")],
        "API: errors of a name": [address("errors", name="bank.")],
        "API: errors of a release": [address("errors", release="2026.3.0")],
        "API: errors, new": [address("errors", first_seen="<1d", state="open")],
        "API: error, frequent": [address("error", one) for one in known[0]],
        "API: error, rare": [address("error", one) for one in known[1]],
        "API: releases": [address("releases")],
        "API: queue, a day": [address("queue", "mail"), address("queue", "reports_9")],
        "API: queue, two weeks": [address("queue", "mail", hours="336")],
        "API: attention": [address("attention")],
    }


def statuses() -> Iterable[str]:
    """Each second word that the filter finds by itself."""
    from z4j_django.queries.status import STATUSES

    return [name for name, one in STATUSES.items() if one.indexed]


def newest() -> datetime:
    """When the newest task was sent."""
    from z4j_django.models import TaskRecord

    return TaskRecord.objects.order_by("-pk").values_list("sent_at", flat=True)[0]


def rounds(found: dict[str, list[str]], calls: int) -> Iterator[tuple[str, str]]:
    """Every page once, then again: a slow minute of the machine meets all of them."""
    for turn in range(calls):
        for name, addresses in found.items():
            yield name, addresses[turn % len(addresses)]


def fetch(client: Any, address: str, server: int | None) -> tuple[float, float]:
    """How long a page took, and what CPU: of this process, and of the one that serves it."""

    def spent() -> float:
        return time.process_time() + (common.run_time(server) if server else 0.0)

    begun, cpu = time.perf_counter(), spent()
    response = client.get(address)
    took, used = time.perf_counter() - begun, spent() - cpu
    if response.status_code != 200:
        raise SystemExit(f"{address} answered {response.status_code}.")
    return took * 1000, used * 1000


def slowest(client: Any, address: str) -> tuple[int, str]:
    """The number of queries of a page, and how its slowest one finds its rows."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.plans import explain

    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    # Those that read records: not choices, not totals, not sessions.
    reads = [one for one in captured if one["sql"].startswith("SELECT") and "z4j_" in one["sql"]]
    rows = [one for one in reads if " ORDER BY " in one["sql"] and "SUM(" not in one["sql"]]
    if not (rows or reads):
        return len(captured), ""
    longest = max(rows or reads, key=lambda query: float(query["time"]))
    return len(captured), str(explain(connection, longest["sql"]))


def measure(calls: int, rows: int, only: str) -> dict[str, dict[str, Any]]:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client.force_login(user)
    found = {name: some for name, some in pages(rows).items() if only in name}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    server = common.server_process()
    for _, address in rounds(found, 2):
        fetch(client, address, server)
    for name, address in rounds(found, calls):
        times[name].append(fetch(client, address, server))
    results = {}
    for name, both in times.items():
        took, cpu = zip(*both, strict=True)
        queries, plan = slowest(client, found[name][0])
        results[name] = {
            "p50": statistics.median(took),
            "p95": statistics.quantiles(took, n=20)[-1],
            "cpu": {"p50": statistics.median(cpu), "p95": statistics.quantiles(cpu, n=20)[-1]},
            "queries": queries,
            "plan": plan,
        }
    return results


def read(rows: int, calls: int, only: str) -> None:
    """The work of one process: seed the database that the environment names, and read it."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from z4j_django.models import TaskRecord

    settings.ALLOWED_HOSTS = ["*"]
    call_command("migrate", verbosity=0)
    begun = time.perf_counter()
    if not TaskRecord.objects.exists():
        seeding.seed(rows, "i % 10 = 0")
    seeded = time.perf_counter() - begun
    print(json.dumps({"rows": rows, "seeded": seeded, "pages": measure(calls, rows, only)}))


def measure_on(url: str, options: argparse.Namespace) -> dict[str, Any]:
    with common.scratch() as folder:
        env = common.environment(url, DJANGO_SETTINGS_MODULE="tests.settings", Z4J_DISABLED="1")
        env.setdefault("DEMO_DIR", str(folder))
        sizes = ["--rows", str(options.rows), "--calls", str(options.calls)]
        sizes += ["--only", options.only]
        printed = common.python(["-m", "bench.read", "--child", *sizes], env)
    found: dict[str, Any] = json.loads(printed)
    return found


def measure_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every database, one after the other; the pages of each take turns."""
    if options.database:
        scheme = urlsplit(options.database).scheme
        vendor = {"postgres": "postgresql", "mysql": "mariadb"}.get(scheme, scheme)
        return [{"database": vendor, **measure_on(options.database, options)}]
    results: list[dict[str, Any]] = []
    for vendor in options.databases.split(","):
        if (reason := common.missing(vendor)) is not None:
            results.append({"database": vendor, "missing": reason})
            continue
        with common.database(vendor) as url:
            results.append({"database": vendor, **measure_on(url, options)})
        common.note(f"{vendor}: seeded in {results[-1]['seeded']:.0f} s, and read")
    return results


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--large", dest="rows", action="store_const", const=LARGE)
    parser.add_argument("--calls", type=int, help="of each page")
    parser.add_argument("--databases", default="postgresql,sqlite,mariadb")
    parser.add_argument("--database", metavar="URL", help="one that stays, instead")
    parser.add_argument("--only", default="", help="pages whose name holds this text")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.sized(options, SHORT, LONG)
    if options.child:
        read(options.rows, options.calls, options.only)
        return
    results = measure_all(options)
    document = about.document(
        "read",
        "the pages of the admin, each through Django's test client, on each database",
        {"rows": options.rows, "calls": options.calls},
        results,
        servers=sorted(row["database"] for row in results if "missing" not in row),
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
