"""How fast a worker drains a queue of tasks that do nothing: bare, recorded, and watched.

One worker with two pool processes on Redis. The variants run in turns, several rounds of them;
the table shows the median ratio to the bare worker of the same round, and the spread.

    python -m bench.throughput [--tasks 20000] [--rounds 5] [--variants bare,...] [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from bench import common

#: Name, database, and what ``bench/project.py`` is told.
VARIANTS = {
    "bare": ("sqlite", "bare"),
    "recorded in PostgreSQL": ("postgresql", "recorded"),
    "recorded in SQLite": ("sqlite", "recorded"),
    "Flower with -E": ("sqlite", "flower"),
    "django-celery-results in PostgreSQL": ("postgresql", "results"),
}
#: Tasks at either end that are not timed: the start, and the idle end.
MARGIN = 500


def environment(variant: str, database: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "BENCH_VARIANT": variant,
        "BENCH_JOURNAL": str(folder / "journal"),
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "bench.project",
    }


def publish(tasks: int, env: dict[str, str]) -> None:
    """Fill the queue, with the agent listening in the publisher where it would."""
    code = (
        "import django; django.setup()\nfrom bench.project import app, nothing\n"
        "with app.producer_pool.acquire() as producer:\n"
        f"    for number in range({tasks}): nothing.apply_async((number, 2), producer=producer)"
    )
    subprocess.run([sys.executable, "-c", code], env=env, cwd=common.REPOSITORY, check=True)


@contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=env, cwd=common.REPOSITORY, **quiet)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def drain(server: redis.Redis, tasks: int) -> float:
    """Tasks a second, between the margins."""
    while (length := server.llen("z4jbench")) > tasks - MARGIN:
        time.sleep(0.005)
    begun, first = time.perf_counter(), length
    while (length := server.llen("z4jbench")) > MARGIN:
        time.sleep(0.005)
    return (first - length) / (time.perf_counter() - begun)


def measure(name: str, tasks: int, server: redis.Redis) -> dict[str, float]:
    vendor, variant = VARIANTS[name]
    celery = [sys.executable, "-m", "celery", "-A", "bench.project"]
    with tempfile.TemporaryDirectory() as folder, common.database(vendor) as database:
        env = environment(variant, database, Path(folder))
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=env, cwd=common.REPOSITORY, check=True)
        server.flushdb()
        publish(tasks, env)
        flower = [*celery, "flower", "--port=0", "--address=127.0.0.1"]
        with (
            running(flower if variant == "flower" else ["true"], env),
            running([*celery, "worker", "-c", "2", "-l", "WARNING"], env) as worker,
        ):
            rate = drain(server, tasks)
            while server.llen("z4jbench"):
                time.sleep(0.01)
            costs = {pid: common.cost(pid) for pid in common.family(worker.pid)}
            shippers = [pid for pid in costs if common.is_shipper(pid)]
    return {
        "rate": rate,
        "worker_cpu": sum(cpu for pid, (cpu, _) in costs.items() if pid not in shippers),
        "worker_peak": max(peak for pid, (_, peak) in costs.items() if pid not in shippers),
        "shipper_cpu": sum(costs[pid][0] for pid in shippers),
        "shipper_peak": max((costs[pid][1] for pid in shippers), default=0.0),
    }


def available(name: str) -> bool:
    """Whether what a variant compares with is installed."""
    needs = {"flower": "flower", "results": "django_celery_results"}.get(VARIANTS[name][1])
    return needs is None or importlib.util.find_spec(needs) is not None


def report(rounds: list[dict[str, dict[str, float]]], tasks: int) -> str:
    rows = []
    for name in rounds[0]:
        ratios = sorted(each[name]["rate"] / each["bare"]["rate"] for each in rounds)
        middle = {
            key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]
        }
        rows.append(
            [
                name,
                f"{middle['rate']:,.0f}",
                f"{statistics.median(ratios):.2f}",
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
                f"{middle['worker_cpu'] / tasks * 1e6:.0f}",
                f"{middle['worker_peak']:.0f}",
                f"{middle['shipper_cpu'] / tasks * 1e6:.0f}" if middle["shipper_peak"] else "",
                f"{middle['shipper_peak']:.0f}" if middle["shipper_peak"] else "",
            ]
        )
    headings = ["worker", "tasks/s", "ratio", "spread", "worker µs/task", "worker MB"]
    return common.table([*headings, "shipper µs/task", "shipper MB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = [name for name in options.variants.split(",") if available(name)]
    server = redis.Redis.from_url(common.SERVERS["redis"])
    rounds = [
        {name: measure(name, options.tasks, server) for name in names}
        for _ in range(options.rounds)
    ]
    if options.json:
        print(json.dumps({"machine": common.machine(), "tasks": options.tasks, "rounds": rounds}))
        return
    print(f"{common.machine()}; {options.tasks:,} tasks, {options.rounds} rounds, medians\n")
    print(report(rounds, options.tasks))


if __name__ == "__main__":
    main()
