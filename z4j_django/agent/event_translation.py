"""Celery's own events, turned into ours: those of workers that have no agent.

They are less than what an agent sees: arguments and results come as cut reprs, which are left
out, and most events name neither task nor attempt. Whoever has an agent marks itself in its
events (``bootstrap.MARK``), and is left out here.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from celery.utils.functional import LRUCache

from z4j_django import logs
from z4j_django.agent import bootstrap, events, failures, messages
from z4j_django.agent.worker_signals import HEARTBEAT_EVERY
from z4j_django.values import LAST_MOMENT, SHORT

logger = logs.logger("z4j_django.receiver")

#: Seconds between two log lines about the same trouble.
LOG_EVERY: Final = 60.0
#: Events of strangers that are held back, and for how many seconds.
HELD: Final = 5_000
HELD_FOR: Final = 10.0
#: Workers and attempts of tasks that are remembered.
_WORKERS: Final = 10_000
_ATTEMPTS: Final = 50_000
#: Seconds of a task; what is more is no time.
_LONGEST: Final = 1e9

_TASK_KINDS: Final = {
    "task-sent": events.TASK_SENT,
    "task-received": events.TASK_RECEIVED,
    "task-started": events.TASK_STARTED,
    "task-succeeded": events.TASK_SUCCEEDED,
    "task-failed": events.TASK_FAILED,
    "task-retried": events.TASK_RETRY,
    "task-revoked": events.TASK_REVOKED,
    "task-rejected": events.TASK_REJECTED,
}
_WORKER_KINDS: Final = {
    "worker-online": events.WORKER_ONLINE,
    "worker-heartbeat": events.WORKER_HEARTBEAT,
    "worker-offline": events.WORKER_OFFLINE,
}
#: The repr of an exception, as Python writes it, and of arguments that are plain.
_REPR: Final = re.compile(r"([^\W\d][\w.]*)\((.*?),?\)?", re.DOTALL)
_TEXT: Final = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ARGUMENT: Final = rf"(?:{_TEXT}|-?\d[\d.e+-]*|True|False|None)"
_ARGUMENTS: Final = re.compile(rf"{_ARGUMENT}(?:, {_ARGUMENT})*", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4})|(.))", re.DOTALL
)
_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r"}
#: How Celery 5.7 tells a rejection as a failure too, before it tells it as what it is.
_REJECTION: Final = "reject requeue="


class Counts(msgspec.Struct):
    """What became of the events."""

    taken: int = 0
    #: Of workers that record themselves.
    left_out: int = 0
    #: Not what Celery sends.
    odd: int = 0


class Translator:
    """Turns Celery's events into ours.

    Args:
        record: Takes each of ours.
    """

    def __init__(self, record: Callable[[events.Event], None]) -> None:
        self.counts = Counts()
        self._record = record
        #: Hostname of each worker that spoke, and whether it records itself.
        self._marked: LRUCache = LRUCache(_WORKERS)
        self._heartbeats: LRUCache = LRUCache(_WORKERS)
        self._attempts = _Attempts()
        #: Events of workers that did not yet say who they are, and since when.
        self._held: OrderedDict[str, tuple[float, list[events.Event]]] = OrderedDict()
        self._held_count = 0
        self._logged = -LOG_EVERY

    @property
    def has_strangers(self) -> bool:
        """Whether events wait for their worker to say who it is."""
        return bool(self._held)

    def take(self, body: Any) -> None:
        """Record what a message says; never raises, whatever it is.

        Args:
            body: An event as Celery sends it, or a list of them.
        """
        for event in body if isinstance(body, list) else (body,):
            try:
                self._take(event)
            except Exception as error:  # anybody may write to the exchange
                self.turned_down(error)

    def turned_down(self, error: Exception) -> None:
        """Count what is no event of Celery's, and log the reason once a minute."""
        self.counts.odd += 1
        now = time.monotonic()
        if now - self._logged >= LOG_EVERY:
            self._logged = now
            text = str(error)[: messages.TEXT]
            logger.warning("Not an event of Celery's (%d so far): %s", self.counts.odd, text)

    def release(self, held_for: float = HELD_FOR) -> None:
        """Take what has waited for ``held_for`` seconds for its worker to say who it is."""
        now = time.monotonic()
        while self._held:
            hostname, (since, _) = next(iter(self._held.items()))
            if now - since < held_for:
                return
            self._know(hostname, marked=False)

    def _take(self, event: Any) -> None:
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise ValueError("it has no type")
        kind = event["type"]
        if kind not in _TASK_KINDS and kind not in _WORKER_KINDS:
            return  # a project may send events of its own
        if kind == "task-failed" and messages.text(event.get("exception")).startswith(_REJECTION):
            return
        hostname = messages.text(event.get("hostname"))
        at = seconds(event.get("timestamp"), LAST_MOMENT)
        if not hostname or at is None:
            raise ValueError(f"{kind} has no host or no time")
        if kind in _WORKER_KINDS:
            self._take_worker_event(_WORKER_KINDS[kind], hostname, at, event)
        elif kind == "task-sent":  # its host is whoever publishes, and says nothing of itself
            self._keep(self._task_event(events.TASK_SENT, hostname, at, event))
        elif self._marked.get(hostname):
            self.counts.left_out += 1
        else:
            found = self._task_event(_TASK_KINDS[kind], hostname, at, event)
            if hostname in self._marked:
                self._keep(found)
            else:
                self._hold(hostname, found)

    def _take_worker_event(
        self, kind: str, hostname: str, at: float, event: dict[str, Any]
    ) -> None:
        marked = bootstrap.MARK in event
        self._know(hostname, marked=marked)
        if marked:
            self.counts.left_out += 1
            return
        if kind == events.WORKER_HEARTBEAT:
            if abs(at - self._heartbeats.get(hostname, -math.inf)) < HEARTBEAT_EVERY:
                return
            self._heartbeats[hostname] = at
        self._keep(_worker_event(kind, hostname, at, event))

    def _know(self, hostname: str, *, marked: bool) -> None:
        """Note who a worker is; what was held back of it is taken, or not."""
        self._marked[hostname] = marked
        _, held = self._held.pop(hostname, (0.0, []))
        self._held_count -= len(held)
        if marked:
            self.counts.left_out += len(held)
            return
        for event in held:
            self._keep(event)

    def _hold(self, hostname: str, event: events.Event) -> None:
        if self._held_count >= HELD:
            self._know(next(iter(self._held)), marked=False)
        self._held.setdefault(hostname, (time.monotonic(), []))[1].append(event)
        self._held_count += 1

    def _keep(self, event: events.Event) -> None:
        self.counts.taken += 1
        self._record(event)

    def _task_event(
        self, kind: str, hostname: str, at: float, event: dict[str, Any]
    ) -> events.TaskEvent:
        task_id = messages.text(event.get("uuid"))
        if not task_id:
            raise ValueError(f"{event['type']} has no task id")
        name = messages.text(event.get("name"))
        return events.TaskEvent(
            kind=kind,
            task_id=task_id,
            at=at,
            name=name,
            retries=self._attempts.of(kind, task_id, hostname, event.get("retries")),
            worker="" if kind == events.TASK_SENT else hostname,
            message=_message(name, event) if name else None,
            runtime=seconds(event.get("runtime"), _LONGEST),
            failure=_failure(kind, event),
            requeued=kind == events.TASK_REJECTED and bool(event.get("requeue")),
            detail=_detail(kind, event),
            observed=True,
        )


class _Attempts:
    """Which attempt an event belongs to: Celery says it of a send and of a receipt only.

    A retry is sent before its worker tells that it retries, so the next attempt may be
    received by then, by this worker or by another.
    """

    def __init__(self) -> None:
        #: Of a task at a worker: the oldest attempt that may go on, whether it has started,
        #: and the newest.
        self._here: LRUCache = LRUCache(_ATTEMPTS)
        #: Of a task: the attempt of whoever comes next.
        self._next: LRUCache = LRUCache(_ATTEMPTS)

    def of(self, kind: str, task_id: str, hostname: str, said: Any) -> int:
        """The attempt of an event.

        Args:
            kind: Ours.
            task_id: The task.
            hostname: Who says so.
            said: The attempt that it says, if it does.
        """
        number = max(messages.number(said) or 0, 0)
        following: int = self._next.get(task_id, 0)
        if kind == events.TASK_SENT:
            self._next[task_id] = max(following, number)
            return number
        place = (task_id, hostname)
        unseen = (following, False, following)
        here: tuple[int, bool, int] = self._here.get(place, unseen)
        oldest, started, newest = here
        if kind == events.TASK_RECEIVED:
            known = place in self._here and number > oldest
            self._here[place] = (oldest, started, number) if known else (number, False, number)
            return number
        if kind == events.TASK_STARTED:
            self._here[place] = (oldest, True, newest)
            return newest if started else oldest
        if kind == events.TASK_RETRY:
            newest = max(newest, oldest + 1)
            self._here[place] = (newest, False, newest)
            self._next[task_id] = max(following, newest)
            return oldest
        return newest


def _message(name: str, event: dict[str, Any]) -> events.Message:
    """The facts that an event tells. Its ``args`` and ``kwargs`` are cut reprs: not these."""
    told = {key: event.get(key) for key in ("eta", "expires", "root_id", "parent_id")}
    return messages.message(
        told.get,
        name=name,
        exchange=event.get("exchange"),
        routing_key=event.get("routing_key"),
        queue=messages.text(event.get("queue")),
    )


def _worker_event(kind: str, hostname: str, at: float, event: dict[str, Any]) -> events.WorkerEvent:
    software = messages.text(event.get("sw_ident")).removeprefix("py-")
    return events.WorkerEvent(
        kind=kind,
        hostname=hostname,
        at=at,
        version=f"{software} {messages.text(event.get('sw_ver'))}".strip(),
        observed=True,
        pid=messages.number(event.get("pid")),
    )


def _detail(kind: str, event: dict[str, Any]) -> str:
    """As an agent in the worker says it (``task_signals.py``)."""
    if kind == events.TASK_REVOKED:
        if event.get("terminated"):
            signum = messages.text(event.get("signum"))
            return f"terminated by {signum}" if signum else "terminated"
        return "expired" if event.get("expired") else "revoked"
    if kind == events.TASK_REJECTED:
        return "rejected, back to the queue" if event.get("requeue") else "rejected"
    return ""


def _failure(kind: str, event: dict[str, Any]) -> events.Failure | None:
    """An exception that comes as its repr, which any class may write as it likes."""
    said, traceback = event.get("exception"), event.get("traceback")
    text = said[: failures.MESSAGE] if isinstance(said, str) else ""
    if kind not in (events.TASK_FAILED, events.TASK_RETRY) or text == "None":
        return None  # a retry may have no cause
    whole = traceback if isinstance(traceback, str) else ""
    trace = whole[-failures.TRACEBACK :]
    if found := _REPR.fullmatch(text):
        name, arguments = found[1], found[2]
        message = failures.said(whole, name)
        if message in ("", arguments, f"({arguments})"):
            message = _arguments(arguments)
        return events.Failure(name[:SHORT], message, trace)
    name, message = next(failures.heads(whole), ("", ""))
    name = name.rpartition(".")[2]
    return events.Failure(name[:SHORT], text or message, trace) if name or text else None


def _arguments(text: str) -> str:
    """Plain arguments as their values, others as they are."""
    if not _ARGUMENTS.fullmatch(text):
        return text
    return re.sub(_TEXT, lambda match: _ESCAPE.sub(_unescaped, match[0][1:-1]), text, flags=re.S)


def _unescaped(match: re.Match[str]) -> str:
    number = match[1] or match[2] or match[3]
    return chr(int(number, 16)) if number else _LETTERS.get(match[4], match[4])


def seconds(value: Any, limit: float) -> float | None:
    """A number of seconds that is one, from 0 to ``limit``."""
    return float(value) if type(value) in (int, float) and 0 <= value <= limit else None
