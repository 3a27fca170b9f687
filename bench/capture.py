"""What recording costs inside a task and a publish, in microseconds of CPU.

Compares Celery alone with Celery and the agent, and with z4j-celery's handlers and an empty sink
where that is installed; in one process, in turns. The journal is real: each event is a
``write()`` to a file on disk.

    python -m bench.capture [--short] [--rounds 31] [--calls 3000] [--json [FILE]]
"""

from __future__ import annotations

import gc
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
from celery import exceptions, signals
from celery.app.trace import build_tracer
from celery.worker.request import Request

from bench import about, common, tables
from z4j_django.agent import bootstrap
from z4j_django.agent.config import Config

app = celery.Celery("bench", broker="memory://", backend="disabled://")
#: What publishing, receiving and running a task sends.
SIGNALS = (
    signals.before_task_publish,
    signals.after_task_publish,
    signals.task_received,
    signals.task_prerun,
    signals.task_postrun,
    signals.task_failure,
    signals.task_retry,
    signals.task_revoked,
    signals.task_rejected,
    signals.task_unknown,
    signals.task_internal_error,
)
#: Of each operation in a round, in turns: what disturbs one of them does not count.
PARTS = 15
SHORT = {"rounds": 9, "calls": 1000}
LONG = {"rounds": 31, "calls": 3000}
ROWS = [{"id": n, "sku": f"sku-{n}", "price": n * 1.5, "tags": ["a", "b"]} for n in range(200)]
#: Who listens.
BARE, OURS, OTHER = "bare", "z4j_django", "z4j-celery"
#: The whole life of a task: four events.
STEPS = ("publish", "receive", "run")


@app.task
def nothing(*args: object, **kwargs: object) -> int:
    return 3


@app.task
def fails(depth: int) -> None:
    if depth:
        fails.run(depth - 1)
    raise ValueError("no such order")


@app.task
def raises(name: str) -> None:
    raise {
        "retry": exceptions.Retry("again", exc=ValueError("no such order"), when=3),
        "ignore": exceptions.Ignore(),
        "reject": exceptions.Reject("not now"),
    }[name]


class Listeners:
    """The handlers of each who is compared; one of them listens at a time.

    Args:
        directory: Of the journal.
    """

    def __init__(self, directory: Path) -> None:
        self._receivers: dict[str, list[list[Any]]] = {}
        for signal in SIGNALS:
            signal.receivers = signal.receivers or []
        self._keep(BARE)
        bootstrap.Agent(
            Config(
                find_directory=lambda: directory,
                project="bench",
                sink="",
                describe_app=str,
                framework="bare",
                shipping="external",
            )
        ).install()
        self._keep(OURS)
        self.use(BARE)
        if self._connect_other():
            self._keep(OTHER)
        self.use(BARE)

    @property
    def names(self) -> list[str]:
        """Who is here."""
        return list(self._receivers)

    def use(self, name: str) -> None:
        """Have these listen, and nobody else."""
        for signal, receivers in zip(SIGNALS, self._receivers[name], strict=True):
            signal.receivers[:] = receivers  # tracers hold the list itself

    def _keep(self, name: str) -> None:
        self._receivers[name] = [list(signal.receivers) for signal in SIGNALS]

    def _connect_other(self) -> bool:
        try:
            from z4j_celery.events.signals import CelerySignalHooks
            from z4j_core.redaction.engine import RedactionEngine
        except ImportError:
            return False
        CelerySignalHooks(sink=lambda event: None, redaction=RedactionEngine()).connect()
        return True


def tracer(task: celery.Task, *args: object, **headers: object) -> Callable[[], object]:
    """Runs a task as a pool child does, with these headers besides."""
    task = app.tasks[task.name]  # a worker has no proxies
    trace = build_tracer(task.name, task, app=app)
    request = {
        "id": "0a1b2c3d",
        "hostname": "w1@host",
        "retries": 0,
        "delivery_info": {},
        **headers,
    }
    return lambda: trace("0a1b2c3d", args, {}, dict(request))


def request(kwargs: dict[str, object], stamped: bool) -> Request:
    """A message as the worker has it, that a publisher with the agent has sent, or one without."""
    with app.connection_for_write() as connection:
        nothing.apply_async((1, 2), kwargs, connection=connection)
        message = connection.default_channel.basic_get("celery", no_ack=True)
    headers = dict(message.headers)
    if stamped:
        headers["z4j"] = {"at": time.time()}
    return Request(message, app=app, hostname="w1@host", headers=headers)


def operations() -> dict[str, tuple[Callable[[], object], float]]:
    """What is measured: a call, and the share of the calls that it is worth."""
    received = request({}, stamped=True)
    unknown = request({}, stamped=False)
    heavy = request({"rows": ROWS}, stamped=False)

    def receive(what: Request) -> Callable[[], object]:
        return lambda: signals.task_received.send(sender=app, request=what)

    def revoke() -> None:
        told = {"terminated": False, "signum": None, "expired": True}
        signals.task_revoked.send(sender=nothing, request=received, **told)

    return {
        "publish": (lambda: nothing.apply_async((1, 2), {"user_id": 42}), 0.25),
        "receive": (receive(received), 1.0),
        "run": (tracer(nothing, 1, 2), 1.0),
        "run, left out by a sample": (
            tracer(nothing, 1, 2, z4j={"at": time.time(), "keep": "failures"}),
            1.0,
        ),
        "fail, traceback of 20 frames": (tracer(fails, 18), 0.2),
        "retry": (tracer(raises, "retry"), 0.25),
        "ignore": (tracer(raises, "ignore"), 0.25),
        "reject": (tracer(raises, "reject"), 0.25),
        "revoke": (revoke, 1.0),
        "receive from a publisher without the agent": (receive(unknown), 1.0),
        "publish, 200 rows of kwargs": (lambda: nothing.apply_async((), {"rows": ROWS}), 0.1),
        "receive, 200 rows of kwargs, publisher without the agent": (receive(heavy), 0.05),
    }


def pair(listeners: Listeners, names: list[str], calls: int) -> dict[str, dict[str, float]]:
    """µs of the two signals of a run, each by itself: a start, and its success."""
    task = app.tasks[nothing.name]
    found: dict[str, dict[str, float]] = {"task_started": {}, "task_succeeded": {}}
    ids = [f"0a1b2c3d-{number}" for number in range(calls)]
    task.push_request(id=ids[0], hostname="w1@host", retries=0, delivery_info={}, args=(1, 2))
    context = task.request
    told = {"sender": task, "task": task, "args": (1, 2), "kwargs": {}}
    try:
        for name in names:
            listeners.use(name)
            begun = time.process_time()
            for context.id in ids:
                signals.task_prerun.send(task_id=context.id, **told)
            between = time.process_time()
            for context.id in ids:
                signals.task_postrun.send(task_id=context.id, retval=3, state="SUCCESS", **told)
            ended = time.process_time()
            found["task_started"][name] = (between - begun) / calls * 1e6
            found["task_succeeded"][name] = (ended - between) / calls * 1e6
    finally:
        task.pop_request()
    return found


def empty_queue() -> None:
    """Throw away what was published: what lies in memory makes the next publish slower."""
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")
    gc.collect()


def timed(call: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


def measure(directory: Path, rounds: int, calls: int) -> dict[str, Any]:
    """Each operation with each listener, in turns; the first round only warms up."""
    listeners = Listeners(directory)
    measured = operations()
    gc.collect()
    gc.freeze()  # what was imported for one listener is not looked at in the time of another
    all_found: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds + 1):
        first = turn % len(listeners.names)
        names = listeners.names[first:] + listeners.names[:first]
        results: dict[str, dict[str, float]] = {}
        for what, (call, share) in measured.items():
            count = max(int(calls * share / PARTS), 1)
            parts: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(PARTS):
                for name in names:
                    listeners.use(name)
                    parts[name].append(timed(call, count))
            results[what] = {name: statistics.median(found) for name, found in parts.items()}
            empty_queue()
        results |= pair(listeners, names, calls)
        listeners.use(BARE)
        if turn:
            for what, by_name in results.items():
                for name, value in by_name.items():
                    all_found.setdefault(what, {}).setdefault(name, []).append(value)
    app.close()
    return summary(all_found)


def summary(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Medians of each, and the spread of what a listener adds in the same round."""
    results: dict[str, Any] = {}
    found["one task"] = {
        name: [sum(parts) for parts in zip(*(found[what][name] for what in STEPS), strict=True)]
        for name in found["run"]
    }
    for what, by_name in found.items():
        bare = by_name[BARE]
        results[what] = {"bare": statistics.median(bare)}
        for name, values in by_name.items():
            if name != BARE:
                added = [one - other for one, other in zip(values, bare, strict=True)]
                results[what][name] = common.spread(added)
    return results


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--calls", type=int, help="of the cheapest operation in a round")
    options = parser.parse_args()
    common.sized(options, SHORT, LONG)
    logging.disable(logging.CRITICAL)
    with common.scratch() as folder:
        results = measure(folder / "journal", options.rounds, options.calls)
    document = about.document(
        "capture",
        "Celery alone, with the agent of z4j_django and a journal on disk, and with the handlers of"
        " z4j-celery and an empty sink; one process, in turns",
        {"rounds": options.rounds, "calls": options.calls},
        results,
        packages=["z4j-celery"],
    )
    common.finish(document, tables.whole(document), options.json)


if __name__ == "__main__":
    common.run(main)
