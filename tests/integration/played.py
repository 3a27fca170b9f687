"""Workflows that run in this process: real messages, Celery's own code, and what is on record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import celery
from celery import _state, signals
from celery.canvas import Signature
from celery.worker.request import Request

from tests import messages
from z4j_django import tasks  # noqa: F401 - a worker of the project has ours
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.agent.task_signals import TaskSignals
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.store.writer import DatabaseSink

HEADER = events.Header(schema=1, project="default", host="h", pid=1)


class Kept:
    """A recorder that only keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []

    def wants_events(self) -> bool:
        return True

    def record(self, event: events.Event) -> None:
        self.events.append(event)

    def lost(self, error: Exception) -> None:
        raise error


class Play:
    """An app with a few tasks, and a worker that runs until nothing is left.

    Attributes:
        broken: Names of tasks that fail until they are taken out.
        runs: Names of the tasks that ran, in their order.
    """

    def __init__(self, app: celery.Celery) -> None:
        self.app = app
        self.broken: set[str] = set()
        self.runs: list[str] = []
        self._numbers = itertools.count()
        for name in ("a", "b", "c", "d", "end", "then"):
            self._add(name)

    def task(self, name: str, *args: Any) -> Signature:
        return self.app.signature(name, args=args, app=self.app)

    def run(self, workflow: Signature) -> None:
        """Publish it, run all that comes of it, and put it on record."""
        with self.recorded():
            workflow.apply_async()
            self.work()

    def work(self) -> None:
        """Run what waits, and what comes of it."""
        while requests := self.receive():
            for request in requests:
                request.execute()

    def receive(self) -> list[Request]:
        """Take what waits out of the queue."""
        found = messages.taken(self.app.conf.task_default_queue)
        requests = [Request(message, app=self.app, hostname="w@h") for message in found]
        for request in requests:
            signals.task_received.send(sender=None, request=request)
        return requests

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Put on record what happens meanwhile."""
        kept = Kept()
        captured = TaskSignals(kept, payload_limit=100_000)
        before = _state._tls.current_app
        self.app.set_current()  # as it is in a worker
        captured.connect()
        try:
            yield
        finally:
            captured.disconnect()
            _state._tls.current_app = before
        data = b"".join(map(events.encode, kept.events))
        DatabaseSink().apply([Slice(f"s{next(self._numbers)}", HEADER, 0, len(data), data)])

    def _add(self, name: str) -> None:
        def run(*args: Any) -> str:
            if name in self.broken:
                raise ValueError(f"{name} is broken")
            self.runs.append(name)
            return name

        self.app.task(run, name=name, shared=False)


def of(name: str) -> list[TaskRecord]:
    """The records of the tasks of a name."""
    return list(TaskRecord.objects.filter(name=name).order_by("group_index", "id"))


def pseudo() -> list[str]:
    """Names on record of what is no task."""
    found = TaskRecord.objects.filter(name__in=["", "celery.chord", "celery.group", "celery.chain"])
    return list(found.values_list("name", flat=True))


def chord_of(name: str) -> GroupRecord:
    """The newest group of the tasks of a name."""
    newest = TaskRecord.objects.filter(name=name).latest("id")
    return GroupRecord.objects.get(group_id=newest.group_id)
