"""How fast a worker drains a queue of tasks that do nothing: bare, recorded, and watched.

One worker with two pool processes on Redis. The variants run in turns, several rounds of them;
the table shows the median ratio to the bare worker of the same round and its spread, and what each
process took of CPU and memory. A worker has started and is idle before it gets its tasks and,
where it records, the journal of their publisher. The slow variants have fewer tasks.

The Redis database must be empty: ``REDIS_URL`` names one; otherwise it is the last empty one of
the server on this host.

    python -m bench.throughput [--short] [--tasks 20000] [--rounds 5] [--variants bare,...]
                               [--json [FILE]]
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench import about, common, tables
from z4j_django.agent import journal

#: CPU seconds and peak megabytes of each process.
Costs = dict[int, tuple[float, float]]


@dataclass(frozen=True)
class Variant:
    """One way to run the worker.

    Attributes:
        database: Which one it works on.
        told: What ``bench/project.py`` is told.
        needs: The package that must be installed.
        share: Of the tasks: how many of them a slow one gets.
        stored: Counts the complete records, as an expression over Django's models.
    """

    database: str
    told: str
    needs: str = ""
    share: float = 1.0
    stored: str = ""


OURS = (
    "z4j_django.models.TaskRecord.objects"
    ".filter(state='SUCCESS', sent_at__isnull=False, received_at__isnull=False).count()"
)
RESULTS = "django_celery_results.models.TaskResult.objects.filter(status='SUCCESS').count()"
VARIANTS = {
    "bare": Variant("sqlite", "bare"),
    "recorded in PostgreSQL": Variant("postgresql", "recorded", stored=OURS),
    "recorded in SQLite": Variant("sqlite", "recorded", stored=OURS),
    "Flower with -E": Variant("sqlite", "flower", needs="flower", share=0.25),
    "django-celery-results in PostgreSQL": Variant(
        "postgresql", "results", needs="django_celery_results", share=0.125, stored=RESULTS
    ),
}
SHORT = {"tasks": 8_000, "rounds": 3}
LONG = {"tasks": 20_000, "rounds": 5}
QUEUE, HELD = "z4jbench", "z4jbench-held"
#: The key that says that a database of Redis is taken.
MARK = "z4jbench-taken"
#: Share of the tasks at either end that is not timed: the start, and the idle end.
MARGIN = 0.05
#: Seconds in which nobody may have used the CPU before it begins, and how little that is.
QUIET, LITTLE = 0.5, 0.02
PUBLISH = """
import sys, django; django.setup()
from bench.project import app, nothing
with app.producer_pool.acquire() as producer:
    for number in range(int(sys.argv[1])):
        nothing.apply_async((number, 2), producer=producer)
"""


def counter(stored: str) -> str:
    """A program that waits for a number, and then for so many records; prints what it found."""
    module = stored.partition(".models.")[0] + ".models"
    return (
        f"import sys, time, django; django.setup()\nimport {module}\n"
        "print('ready', flush=True); wanted = int(sys.stdin.readline())\n"
        "begun = changed = time.monotonic(); found = -1\n"
        f"while (count := {stored}) < wanted and time.monotonic() < changed + 10:\n"
        "    changed = changed if count == found else time.monotonic()\n"
        "    found = count; time.sleep(0.05)\n"
        "print(count, time.monotonic() - begun, flush=True)\n"
    )


class Bench:
    """One variant, with its database, for all rounds.

    Args:
        name: The variant's.
        server: The Redis database.
        broker: Its URL.
        database: The URL of the database.
    """

    def __init__(self, name: str, server: redis.Redis, broker: str, database: str) -> None:
        self.variant = VARIANTS[name]
        self.server = server
        self.env = common.environment(database, BENCH_VARIANT=self.variant.told)
        self.env |= {"BENCH_BROKER": broker, "BENCH_QUEUE": QUEUE}
        self._stored = 0
        common.migrate(self.env)

    def measure(self, tasks: int) -> dict[str, Any]:
        """Drain ``tasks`` once."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(common.scratch())
            _empty(self.server)
            stack.callback(_empty, self.server)
            self._publish(tasks, folder / "published")
            env = self.env | {"BENCH_JOURNAL": str(folder / "journal")}
            flower, port = self._start_flower(stack, env, folder)
            worker = self._start_worker(stack, env, folder)
            roots = [worker.pid, *([flower.pid] if flower else [])]
            self._settle(roots)
            count = self._start_counter(stack, env, folder)
            before = self._costs(roots)
            self._release(folder)
            rate = self._drain(tasks)
            stored, behind = self._wait_until_stored(count, tasks, port)
            processes = _processes(before, self._costs(roots), roots)
        return {"rate": rate, "stored": stored, "behind": behind, "processes": processes}

    def _publish(self, tasks: int, directory: Path) -> None:
        """Fill a queue that nobody reads yet, with the agent listening where it would."""
        more = {"BENCH_JOURNAL": str(directory), "BENCH_SHIPPER": "external", "BENCH_QUEUE": HELD}
        common.python(["-c", PUBLISH, str(tasks)], self.env | more)

    def _start_worker(
        self, stack: contextlib.ExitStack, env: dict[str, str], folder: Path
    ) -> subprocess.Popen[str]:
        ready, log = folder / "ready", folder / "worker.log"
        command = [sys.executable, "-m", "celery", "-A", "bench.project", "worker", "-c", "2"]
        command += ["-l", "WARNING"]
        env = env | {"BENCH_READY": str(ready)}
        worker = stack.enter_context(common.running(command, env, log))
        common.wait_for("the worker to start", ready.exists)
        if self.variant.told == "recorded":
            common.wait_for(
                "the worker's shipper to start",
                lambda: any(common.is_shipper(pid) for pid in common.family(worker.pid)),
            )
        return worker

    def _start_flower(
        self, stack: contextlib.ExitStack, env: dict[str, str], folder: Path
    ) -> tuple[subprocess.Popen[str] | None, int]:
        if self.variant.told != "flower":
            return None, 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "celery", "-A", "bench.project", "flower"]
        command += [f"--port={port}", "--address=127.0.0.1"]
        flower = stack.enter_context(common.running(command, env, folder / "flower.log"))
        common.wait_for("Flower to start", lambda: _flower_saw(port) is not None)
        return flower, port

    def _start_counter(
        self, stack: contextlib.ExitStack, env: dict[str, str], folder: Path
    ) -> subprocess.Popen[str] | None:
        if not self.variant.stored:
            return None
        command = [sys.executable, "-c", counter(self.variant.stored)]
        env = env | {"Z4J_DISABLED": "1"}
        process = stack.enter_context(common.running(command, env, folder / "counter.log"))
        process.stdout.readline()
        return process

    def _settle(self, roots: list[int]) -> None:
        """Wait until everybody is idle; Flower never quite is."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            before = self._costs(roots)
            time.sleep(QUIET)
            after = self._costs(roots)
            used = sum(cpu - before.get(pid, (0.0, 0.0))[0] for pid, (cpu, _) in after.items())
            if used <= LITTLE:
                return

    def _release(self, folder: Path) -> None:
        """Let the worker have the tasks, and its shipper what their publisher wrote."""
        for segment in journal.segments(folder / "published"):
            segment.rename(folder / "journal" / segment.name)
        self.server.rename(HELD, QUEUE)

    def _drain(self, tasks: int) -> float:
        """Tasks a second, between the margins."""
        margin = int(tasks * MARGIN)
        common.wait_for("the worker to begin", lambda: self._length() <= tasks - margin)
        begun, first = time.perf_counter(), self._length()
        common.wait_for("the worker to go on", lambda: self._length() <= margin, 600)
        rate = (first - self._length()) / (time.perf_counter() - begun)
        common.wait_for("the worker to end", lambda: not self._length())
        common.wait_for("the last tasks to end", lambda: not self.server.hlen("unacked"))
        return rate

    def _length(self) -> int:
        return int(self.server.llen(QUEUE))

    def _wait_until_stored(
        self, count: subprocess.Popen[str] | None, tasks: int, port: int
    ) -> tuple[int | None, float | None]:
        """How many records are complete, and how long that took."""
        if port:
            with contextlib.suppress(SystemExit):
                common.wait_for("Flower", lambda: (_flower_saw(port) or 0) >= tasks, 3)
            return _flower_saw(port), None
        if count is None:
            return None, None
        count.stdin.write(f"{self._stored + tasks}\n")
        count.stdin.flush()
        found, seconds = count.stdout.readline().split()
        here, self._stored = int(found) - self._stored, int(found)
        return here, float(seconds)

    def _costs(self, roots: list[int]) -> Costs:
        costs: Costs = {}
        for root in roots:
            for pid in common.family(root):
                with contextlib.suppress(OSError):
                    costs[pid] = common.cost(pid)
        return costs


def _processes(before: Costs, after: Costs, roots: list[int]) -> dict[str, dict[str, float]]:
    """CPU seconds and peak megabytes, by what a process is."""
    found = {}
    children = 0
    known = dict(zip(roots, ("worker", "Flower"), strict=False))
    for pid, (cpu, peak) in sorted(after.items()):
        role = known.get(pid) or ("shipper" if common.is_shipper(pid) else "")
        if not role:
            children += 1
            role = f"pool child {children}"
        found[role] = {"cpu": cpu - before.get(pid, (0.0, 0.0))[0], "peak": peak}
    return found


def _flower_saw(port: int) -> int | None:
    """The tasks that Flower has seen succeed; ``None`` while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    found = re.findall(r'^flower_events_total\{.*"task-succeeded".*\} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, found)))


@contextlib.contextmanager
def broker() -> Iterator[tuple[redis.Redis, str]]:
    """A Redis database that nobody else uses, and its URL.

    Raises:
        SystemExit: If there is none.
        redis.ConnectionError: If there is no server.
    """
    given = os.environ.get("REDIS_URL")
    urls = [given] if given else [f"redis://127.0.0.1:6379/{n}" for n in range(15, 0, -1)]
    for url in urls:
        with contextlib.closing(redis.Redis.from_url(url)) as server:
            if server.dbsize() == 0 and server.set(MARK, os.getpid(), nx=True):
                try:
                    yield server, url
                finally:
                    _empty(server)
                    server.delete(MARK)
                return
    raise SystemExit(
        "The Redis database is in use; set REDIS_URL to one that is empty, and stays so."
    )


def _empty(server: redis.Redis) -> None:
    """Delete what a worker leaves; the mark stays, so that no other benchmark comes."""
    for key in server.scan_iter():
        if key.decode() != MARK:
            server.delete(key)


def missing(variant: Variant) -> str | None:
    """Why a variant can't be measured here, if it can't."""
    try:
        redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")).ping()
    except redis.ConnectionError:
        return "no server: Redis"
    if variant.needs and importlib.util.find_spec(variant.needs) is None:
        return "not installed"
    return common.missing(variant.database)


def measure_all(names: list[str], tasks: int, rounds: int) -> dict[str, Any]:
    """All variants in turns; each round begins with another one."""
    reasons = {name: missing(VARIANTS[name]) for name in names}
    if reasons["bare"] is not None:
        return {name: {"missing": reasons["bare"]} for name in names}
    present = [name for name in names if reasons[name] is None]
    sizes = {name: int(tasks * VARIANTS[name].share) for name in names}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in present}
    with contextlib.ExitStack() as stack:
        server, url = stack.enter_context(broker())
        benches = {}
        for name in present:
            database = stack.enter_context(common.database(VARIANTS[name].database))
            benches[name] = Bench(name, server, url, database)
        for turn in range(rounds):
            first = turn % len(present)
            for name in present[first:] + present[:first]:
                runs[name].append(benches[name].measure(sizes[name]))
                common.note(f"round {turn + 1}: {name}, {runs[name][-1]['rate']:,.0f} tasks/s")
    return {
        name: {"missing": reasons[name]}
        if reasons[name]
        else {"tasks": sizes[name], **summary(runs[name], runs["bare"])}
        for name in names
    }


def summary(runs: list[dict[str, Any]], bare: list[dict[str, Any]]) -> dict[str, Any]:
    """The rounds of one variant together."""
    ratios = [one["rate"] / other["rate"] for one, other in zip(runs, bare, strict=True)]
    behind = [one["behind"] for one in runs if one["behind"] is not None]
    roles = set.intersection(*(set(one["processes"]) for one in runs))
    return {
        "rate": common.spread([one["rate"] for one in runs]),
        "ratio": common.spread(ratios),
        "stored": runs[-1]["stored"],
        "behind": common.spread(behind) if behind else None,
        "processes": {
            role: {
                key: common.spread([one["processes"][role][key] for one in runs])
                for key in ("cpu", "peak")
            }
            for role in runs[0]["processes"]
            if role in roles
        },
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    options = parser.parse_args()
    common.sized(options, SHORT, LONG)
    names = options.variants.split(",")
    if unknown := set(names) - set(VARIANTS):
        parser.error(f"there is no variant {', '.join(sorted(unknown))}")
    names = ["bare", *(name for name in names if name != "bare")]
    results = measure_all(names, options.tasks, options.rounds)
    vendors = {VARIANTS[name].database for name in names if "missing" not in results[name]}
    document = about.document(
        "throughput",
        "a worker of two pool processes on Redis: bare, recorded, watched by Flower with -E, and"
        " with django-celery-results (extended, started tracked)",
        {"tasks": options.tasks, "rounds": options.rounds},
        results,
        servers=sorted(vendors),
        packages=["flower", "django-celery-results"],
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
