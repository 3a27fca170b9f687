"""``manage.py demo --once``: one workload, and the records held against the ledger."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from kombu.exceptions import ChannelError
from kombu.exceptions import OperationalError as BrokerError
from tqdm import tqdm

from example_project import environment
from example_project.celery import app
from example_project.shop import comparison, jobs, ledger, records
from example_project.shop.comparison import Difference, Expected, ExpectedGroup
from example_project.shop.supervise import Supervisor, stop_on_signals

_POLL_SECONDS = 0.2
_STOP_SECONDS = 30.0
_SETTLE_SECONDS = 10.0
_ENDS = frozenset({"SUCCESS", "FAILURE", "REVOKED", "REJECTED", "IGNORED"})


class TimedOut(Exception):  # noqa: N818 (an event, not a mistake)
    """The time for the run is over."""


class Run:
    """One run of the demo. It shares neither queue nor folder with any other.

    Args:
        runs: How many runs of tasks to ask for.
        seed: What the dice start from.
        timeout: Seconds until what is missing is called missing.
        say: Called with each line for the user.
    """

    def __init__(self, runs: int, seed: int, timeout: float, say: Callable[[str], None]) -> None:
        self._plan = jobs.plan(runs, random.Random(seed))
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._say = say
        self._expected: dict[str, Expected] = {}
        self._groups: list[ExpectedGroup] = []
        self._to_terminate: set[str] = set()
        self._name = os.environ["DEMO_RUN"] = uuid.uuid4().hex[:8]
        self._worker = f"shop-{self._name}@{socket.gethostname()}"
        self._folder = environment.run_dir(settings.BASE_DIR)

    def execute(self) -> list[Difference]:
        """Runs it, prints the table, and returns the differences."""
        self._folder.mkdir(parents=True)
        with _queue_of_its_own():
            self._work()
            differences = self._differences_after(_SETTLE_SECONDS)
        self._say(self._table(differences))
        if differences:
            self._say(f"Ledger and the worker's log are kept in {self._folder}")
        else:
            shutil.rmtree(self._folder)
        return differences

    def _work(self) -> None:
        log_path = self._folder / "worker.log"
        with stop_on_signals() as request, log_path.open("w") as log:
            supervisor = Supervisor(lambda _, line: print(line, file=log), settings.BASE_DIR)

            def check(what: str) -> None:
                if request:
                    raise CommandError("Interrupted; the worker is stopped.")
                if ended := supervisor.ended():
                    log.flush()
                    raise CommandError(f"Ended too early: {ended}\n{_tail(log_path)}")
                if time.monotonic() > self._deadline:
                    raise TimedOut(what)

            supervisor.start("worker", self._worker_command())
            try:
                self._await_worker(check)
                self._submit(check)
                self._await_records(check)
            except TimedOut as error:
                self._say(f"{error} within {self._timeout:.0f} s.")
            finally:
                supervisor.stop(_STOP_SECONDS)

    def _worker_command(self) -> list[str]:
        pool = ["-P", "prefork", "-c", "2", "-l", "INFO"]
        own = ["-Q", environment.queue(), "-n", self._worker]
        return [sys.executable, "-m", "celery", "-A", "example_project", "worker", *pool, *own]

    def _await_worker(self, check: Callable[[str], None]) -> None:
        self._say(f"Run {self._name}: starting a worker with two processes")
        while not app.control.ping(destination=[self._worker], timeout=1, limit=1):
            check("The worker did not answer")

    def _submit(self, check: Callable[[str], None]) -> None:
        for job in tqdm(self._plan, desc="sending", unit="job", disable=None):
            check("Not every job could be sent")
            sent = jobs.send(job, [self._worker])
            self._expected.update({plan.task_id: plan for plan in sent.expected})
            self._groups.extend(sent.groups)
            self._to_terminate.update(sent.to_terminate)
        runs = sum(job.runs for job in self._plan)
        self._say(f"Sent {len(self._plan)} jobs, {len(self._expected)} tasks, {runs} runs")

    def _await_records(self, check: Callable[[str], None]) -> None:
        ending = [key for key, plan in self._expected.items() if plan.outcome in _ENDS]
        ended = 0
        with tqdm(total=len(ending), desc="on record", unit="task", disable=None) as bar:
            while ended < len(ending):
                check(f"{len(ending) - ended} of {len(ending)} tasks did not end on record")
                self._terminate_what_runs()
                time.sleep(_POLL_SECONDS)
                before, ended = ended, records.finished(ending)
                bar.update(ended - before)

    def _terminate_what_runs(self) -> None:
        if not self._to_terminate:
            return
        running = {key for key, history in self._ledger().items() if history.open}
        for task_id in self._to_terminate & running:
            app.control.revoke(task_id, destination=[self._worker], terminate=True)
            self._to_terminate.discard(task_id)

    def _differences_after(self, seconds: float) -> list[Difference]:
        """The differences that stand when there are none, or else after ``seconds``."""
        deadline = time.monotonic() + seconds
        while (differences := self._differences()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return differences

    def _differences(self) -> list[Difference]:
        on_record = records.tasks(self._expected, environment.queue())
        groups = records.groups(group.group_id for group in self._groups)
        return [
            *comparison.compare(self._expected, self._ledger(), on_record),
            *comparison.compare_groups(self._groups, groups),
        ]

    def _ledger(self) -> dict[str, ledger.History]:
        return ledger.read(self._folder / "ledger")

    def _table(self, differences: list[Difference]) -> str:
        noted = self._ledger()
        on_record = records.tasks(self._expected, environment.queue())
        table = comparison.tabulate(self._expected, noted, on_record, differences)
        starts = sum(history.starts for history in noted.values())
        ends = sum(len(history.outcomes) for history in noted.values())
        return f"{table}\n{starts} starts, {ends} ends and {len(self._groups)} groups compared."


@contextlib.contextmanager
def _queue_of_its_own() -> Iterator[None]:
    """Points Celery at this run's queue, and removes the queue from the broker at the end."""
    queue = environment.queue()
    broker = environment.broker(os.environ.get("CELERY_BROKER_URL"), settings.BASE_DIR)
    app.conf.update(broker, task_default_queue=queue)
    try:
        yield
    finally:
        with (
            contextlib.suppress(BrokerError, ChannelError),
            app.connection_for_write() as connection,
        ):
            bound = app.amqp.queues[queue].bind(connection.default_channel)
            bound.declare()  # kombu only unbinds what the channel has seen bound
            bound.delete()
            bound.exchange.delete()


def _tail(path: Path) -> str:
    return "\n".join(path.read_text().splitlines()[-20:])
