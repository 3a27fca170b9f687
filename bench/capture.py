"""What recording costs inside a task and a publish, in microseconds.

Compares Celery alone with Celery and the agent, in one process, in turns; prints medians. The
journal is real: each event is a ``write()`` to a file on disk.

    python -m bench.capture [--rounds 15] [--calls 3000] [--json]
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import celery
from celery.app.trace import build_tracer

from z4j_django.agent import bootstrap

app = celery.Celery("bench", broker="memory://", backend="disabled://")


@app.task
def nothing(*args: object, **kwargs: object) -> int:
    return 3


@app.task
def fails(depth: int) -> None:
    if depth:
        fails.run(depth - 1)
    raise ValueError("no such order")


def tracer(
    task: celery.Task, args: tuple[object, ...], kwargs: dict[str, object]
) -> Callable[[], object]:
    task = app.tasks[task.name]  # a worker has no proxies
    trace = build_tracer(task.name, task, app=app)
    request = {"id": "0a1b2c3d", "hostname": "w1@host", "retries": 0, "delivery_info": {}}
    return lambda: trace("0a1b2c3d", args, kwargs, dict(request))


def received(agent: bootstrap.Agent) -> Callable[[], object]:
    """The handler of ``task_received`` alone; without the agent there is nothing to call."""
    headers = {"id": "0a1b2c3d", "task": "bench.nothing", "hostname": "w1@host", "retries": 0}

    class Request:
        id = "0a1b2c3d"
        time_start = None

    def call() -> None:
        request = Request()
        request.request_dict = {
            **headers,
            "z4j": {"at": 1.0, "args": True},
            "delivery_info": {"exchange": "", "routing_key": "celery"},
        }
        agent._listeners[0].task_received(sender=None, request=request)

    return call


def seconds(call: Callable[[], object], calls: int) -> float:
    begun = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begun) / calls


def compare(
    call: Callable[[], object], agent: bootstrap.Agent, rounds: int, calls: int
) -> SimpleNamespace:
    """Medians of ``call`` with the agent and without, in microseconds."""
    bare, recorded = [], []
    for _ in range(rounds):
        agent._listeners[0].disconnect()
        bare.append(seconds(call, calls) * 1e6)
        agent._listeners[0].connect()
        recorded.append(seconds(call, calls) * 1e6)
    agent._listeners[0].disconnect()
    return SimpleNamespace(bare=statistics.median(bare), recorded=statistics.median(recorded))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows = [{"id": n, "sku": f"sku-{n}", "price": n * 1.5, "tags": ["a", "b"]} for n in range(200)]
    with tempfile.TemporaryDirectory() as directory:
        agent = bootstrap.Agent(
            bootstrap.Config(
                find_directory=lambda: Path(directory) / "journal",
                project="bench",
                sink="",
                describe_app=str,
                framework="bare",
                shipping="external",
            )
        )
        calls = {
            "publish (task_sent)": (
                lambda: nothing.apply_async((1, 2), {"user_id": 42}),
                options.calls // 4,
            ),
            "run (task_started, task_succeeded)": (tracer(nothing, (1, 2), {}), options.calls),
            "fail, 20 frames (task_started, task_failed)": (
                tracer(fails, (18,), {}),
                options.calls // 10,
            ),
            "publish, 200 rows of kwargs": (
                lambda: nothing.apply_async((), {"rows": rows}),
                options.calls // 20,
            ),
        }
        results = {}
        for name, (call, count) in calls.items():
            found = compare(call, agent, options.rounds, max(count, 1))
            results[name] = {
                "bare": found.bare,
                "recorded": found.recorded,
                "cost": found.recorded - found.bare,
            }
        agent._wanted = True
        costs = [seconds(received(agent), options.calls) * 1e6 for _ in range(options.rounds)]
        results["receive (task_received)"] = {
            "bare": 0.0,
            "recorded": 0.0,
            "cost": statistics.median(costs),
        }
    report(results, options.json)


def report(results: dict[str, dict[str, float]], as_json: bool) -> None:
    machine = (
        f"Python {platform.python_version()}, Celery {celery.__version__}, {platform.machine()}"
    )
    if as_json:
        print(json.dumps({"machine": machine, "unit": "microseconds", "results": results}))
        return
    print(machine)
    print(f"{'median, µs':<46}{'bare':>9}{'recorded':>10}{'cost':>8}")
    for name, row in results.items():
        print(f"{name:<46}{row['bare']:>9.1f}{row['recorded']:>10.1f}{row['cost']:>8.1f}")


if __name__ == "__main__":
    main()
