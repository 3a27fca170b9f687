"""What a scrape of the metrics costs, of a project with many names, queues and workers. PostgreSQL.

Seeds a database of its own with the mix of ``bench.read``, scrapes it through Django's test client
in each of the ways that there are, in turns, and drops the database again.

    python -m bench.scrape [--short] [--rows 1000000] [--calls 60] [--json [FILE]]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from datetime import timedelta
from typing import Any

from bench import about, common, seeding, tables

SHORT = {"rows": 100_000, "calls": 20}
LONG = {"rows": 1_000_000, "calls": 60}
TOKEN = "only-for-this-benchmark"
OPENMETRICS = "application/openmetrics-text"
ALL = ["flower", "celery-exporter"]
#: The ways, with the settings and what is accepted.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "text 0.0.4": ({}, "text/plain"),
    "OpenMetrics": ({}, OPENMETRICS),
    "OpenMetrics with exemplars": ({"METRICS_EXEMPLARS": True}, OPENMETRICS),
    "text 0.0.4, 100 names": ({"METRICS_NAMES": 100}, "text/plain"),
    "text 0.0.4, with the names of others": ({"METRICS_COMPAT": ALL}, "text/plain"),
}


def scrape(client: Any, way: str, server: int | None = None) -> Any:
    """An answer, how long it took, and what CPU: of this process, and of the one that serves it."""
    from django.test import override_settings

    def spent() -> float:
        return time.process_time() + (common.run_time(server) if server else 0.0)

    given, accept = WAYS[way]
    with override_settings(Z4J={"METRICS_TOKEN": TOKEN, **given}):
        headers = {"authorization": f"Bearer {TOKEN}", "accept": accept}
        begun, cpu = time.perf_counter(), spent()
        response = client.get("/metrics", headers=headers)
        took, used = time.perf_counter() - begun, spent() - cpu
    if response.status_code != 200:
        raise SystemExit(f"It answered {response.status_code}.")
    return response, took * 1e3, used * 1e3


def figures(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94]}


def now() -> None:
    """Have what is told of this moment be of it."""
    from django.utils import timezone

    from tests.first_page import looked
    from z4j_django.models import QueueSample, WorkerRecord

    at = timezone.now()
    WorkerRecord.objects.filter(online=True).update(last_seen=at)
    newest = QueueSample.objects.order_by("-at").values_list("at", flat=True)[0]
    QueueSample.objects.filter(at__gt=newest - timedelta(minutes=3)).update(at=at)
    looked()


def measure(rows: int, calls: int) -> dict[str, Any]:
    """Seed and scrape the database that the environment names."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    call_command("migrate", verbosity=0)
    seeding.seed(rows, "i % 10 = 0")
    client = Client()
    found: dict[str, Any] = {}
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for way in WAYS:
        now()
        with CaptureQueriesContext(connection) as queries:
            response, _, _ = scrape(client, way)
        lines = response.content.count(b"\n")
        found[way] = {"queries": len(queries), "lines": lines, "bytes": len(response.content)}
    server = common.server_process()
    for turn in range(calls):
        if turn % 20 == 0:
            now()
        for way in WAYS:
            times[way].append(scrape(client, way, server)[1:])
    for way, measured in times.items():
        took, used = (list(one) for one in zip(*measured, strict=True))
        found[way] |= {**figures(took), "cpu": figures(used)}
    return {"rows": rows, "seen": seen(), "scrapes": found}


def seen() -> dict[str, int]:
    """Of how much is told."""
    from z4j_django.metrics.reading import Reading

    reading = Reading()
    return {
        "names": len(reading.totals),
        "queues": len(reading.queues),
        "workers": len(reading.online),
    }


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    if (reason := common.missing("postgresql")) is not None:
        return {"missing": reason}
    sizes = [f"--{name}={getattr(options, name)}" for name in LONG]
    with common.scratch() as folder, common.database("postgresql") as url:
        env = common.environment(url, DJANGO_SETTINGS_MODULE="tests.settings", Z4J_DISABLED="1")
        env.setdefault("DEMO_DIR", str(folder))
        found: dict[str, Any] = json.loads(
            common.python(["-m", "bench.scrape", "--child", *sizes], env)
        )
    return found


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--calls", type=int, help="scrapes of each way")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.sized(options, SHORT, LONG)
    if options.child:
        print(json.dumps(measure(options.rows, options.calls)))
        return
    results = measure_all(options)
    document = about.document(
        "scrape",
        "scrapes of the metrics on PostgreSQL",
        {name: getattr(options, name) for name in LONG},
        results,
        servers=[] if "missing" in results else ["postgresql"],
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
