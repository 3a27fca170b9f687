"""What a run of ``z4j_prune`` does to those who read the list meanwhile. PostgreSQL.

Seeds a database of its own with the mix of ``bench.read``, then reads the list in a loop: alone,
while the oldest tasks are pruned in another process, and after that. The database is dropped.

    python -m bench.prune [--short | --large] [--rows 1000000] [--prune 100000] [--seconds 20]
                          [--json [FILE]]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import about, common, seeding, tables

SHORT = {"rows": 200_000, "prune": 40_000, "seconds": 10.0}
LONG = {"rows": 1_000_000, "prune": 100_000, "seconds": 20.0}
LARGE = {"rows": 10_000_000, "prune": 1_000_000, "seconds": 60.0}
#: Rows of a page, and the one that tells whether there is another.
PAGE = 51


def pages() -> dict[str, Callable[[], Any]]:
    from z4j_django.models import TaskRecord
    from z4j_django.queries import tasks

    newest = tasks.summaries(TaskRecord.objects.order_by("-id"))
    return {
        "newest": lambda: list(newest[:PAGE]),
        "failures": lambda: list(newest.filter(state="FAILURE")[:PAGE]),
        "one name": lambda: list(newest.filter(name="shop.mail.send_3")[:PAGE]),
    }


def read(until: Callable[[], bool]) -> dict[str, list[float]]:
    """Milliseconds of each page, read one after the other."""
    found: dict[str, list[float]] = {name: [] for name in pages()}
    while not until() or len(found["newest"]) < 2:
        for name, page in pages().items():
            begun = time.perf_counter()
            page()
            found[name].append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.005)
    return found


def for_seconds(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def figures(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
    return {**found, "reads": len(times)}


def measure(rows: int, prune: int, seconds: float) -> dict[str, Any]:
    """Seed and prune the database that the environment names."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from z4j_django.models import TaskRecord

    call_command("migrate", verbosity=0)
    seeding.seed(rows, f"i <= {2 * prune}")
    cutoff = TaskRecord.objects.order_by("id")[prune : prune + 1].get().sent_at
    hours = int((timezone.now() - cutoff).total_seconds() // 3600)
    command = [sys.executable, "-m", "django", "z4j_prune", "--older-than", f"{hours}h", "--json"]
    found = {"before": read(for_seconds(seconds))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pruning:
        try:
            found["during"] = read(lambda: pruning.poll() is not None)
        finally:
            pruning.terminate()
        pruned = json.loads(pruning.communicate()[0])
    found["after"] = read(for_seconds(seconds))
    return {
        "rows": rows,
        "tasks": sum(pruned["tasks"].values()),
        "events": pruned["events"],
        "groups": pruned["groups"],
        "seconds": pruned["seconds"],
        "pages": {
            name: {when: figures(times[name]) for when, times in found.items()} for name in pages()
        },
    }


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    if (reason := common.missing("postgresql")) is not None:
        return {"missing": reason}
    sizes = [f"--{name}={getattr(options, name)}" for name in LONG]
    with common.scratch() as folder, common.database("postgresql") as url:
        env = common.environment(url, DJANGO_SETTINGS_MODULE="tests.settings", Z4J_DISABLED="1")
        env.setdefault("DEMO_DIR", str(folder))
        found: dict[str, Any] = json.loads(
            common.python(["-m", "bench.prune", "--child", *sizes], env)
        )
    return found


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--large", action="store_true", help="10 million tasks")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--prune", type=int, help="tasks to prune, about")
    parser.add_argument("--seconds", type=float, help="of reading before and after")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.sized(options, SHORT, LARGE if options.large else LONG)
    if options.child:
        print(json.dumps(measure(options.rows, options.prune, options.seconds)))
        return
    results = measure_all(options)
    document = about.document(
        "prune",
        "pages of the list in a loop, before, during and after a run of z4j_prune on PostgreSQL",
        {name: getattr(options, name) for name in LONG},
        results,
        servers=[] if "missing" in results else ["postgresql"],
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
