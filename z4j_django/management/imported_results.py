"""Rows of django-celery-results as events of ours, and how far they are imported.

They go the way that all events go: merged, redacted, counted and stored with the cursor that says
up to which row, in one transaction. So nothing is imported twice, whoever is killed.
"""

from __future__ import annotations

import ast
import functools
import json
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.db.models import QuerySet

from z4j_django import states, wiring
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.agent.encoding import encode_value
from z4j_django.conf import settings
from z4j_django.control import bodies
from z4j_django.exceptions import UnstorableError
from z4j_django.models import JournalCursor, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.store.writer import DatabaseSink
from z4j_django.values import identifier

#: The app's label.
APP: Final = "django_celery_results"
#: Rows in one transaction.
BATCH: Final = 2_000
#: Ids in one query, of which MariaDB makes no join.
_AT_ONCE: Final = 500
#: Characters of arguments that are read as plain data.
_ARGUMENTS: Final = 10_000
_COLUMNS: Final = (
    *("pk", "task_id", "task_name", "periodic_task_name", "status", "worker", "traceback"),
    *("date_started", "date_done", "content_type", "result", "task_args", "task_kwargs"),
)
_KINDS: Final = {
    states.SUCCESS: events.TASK_SUCCEEDED,
    states.FAILURE: events.TASK_FAILED,
    states.REVOKED: events.TASK_REVOKED,
    states.REJECTED: events.TASK_REJECTED,
    states.IGNORED: events.TASK_IGNORED,
}


def rows() -> QuerySet[Any]:
    """The results of that app."""
    found: QuerySet[Any] = apps.get_model(APP, "TaskResult")._default_manager.order_by("pk")
    return found


class Import:
    """Brings them in, from the row on at which the last one stopped.

    Attributes:
        place: The key of the last row that was looked at.
        counts: What became of the rows: ``imported``, on record ``already``, ``unfinished`` and
            ``unstorable``.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._segment = f"{APP} of {settings.PROJECT}"
        self._header = events.Header(events.SCHEMA, settings.PROJECT, socket.gethostname(), 0)
        self._sink = DatabaseSink(
            timeline=settings.TIMELINE, payloads=False, rules=settings.redaction
        )
        self.place = self._sink.positions([self._segment]).get(self._segment, 0)

    def begin_anew(self) -> None:
        """Look at all rows once more; what is on record stays as it is."""
        primary(JournalCursor).filter(segment=self._segment).delete()
        self.place = 0

    def steps(self, batch: int = BATCH) -> Iterator[int]:
        """Import all, batch by batch; the number of rows that each looked at."""
        size = batch
        while found := list(rows().filter(pk__gt=self.place).values(*_COLUMNS)[:size]):
            try:
                seen = self._store(found)
            except UnstorableError:
                if len(found) == 1:
                    self.counts["unstorable"] += 1
                    self._move(found, [])
                    yield 1
                size = max(len(found) // 10, 1)
                continue
            self.counts += seen
            size = min(size * 10, batch)
            yield len(found)

    def _store(self, found: Sequence[dict[str, Any]]) -> Counter[str]:
        known = _on_record([identifier(row["task_id"]) for row in found])
        seen: Counter[str] = Counter()
        told: list[events.TaskEvent] = []
        for row in found:
            if row["status"] not in _KINDS:
                seen["unfinished"] += 1
            elif identifier(row["task_id"]) in known:
                seen["already"] += 1
            else:
                told += _events(row)
                seen["imported"] += 1
        return seen if self._move(found, told) else Counter()

    def _move(self, found: Sequence[dict[str, Any]], told: Sequence[events.TaskEvent]) -> bool:
        """Store events, and that these rows were looked at; whether nobody else was quicker."""
        last = found[-1]["pk"]
        data = b"".join(map(events.encode, told))
        batch = [Slice(self._segment, self._header, self.place, last, data)]
        prepared = self._sink.prepare(batch)
        # Whoever ran a task years ago is not heard of by that.
        prepared[0].workers.clear()
        self.place = self._sink.apply(batch, prepared)[self._segment]
        return bool(self.place == last)


def _on_record(ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    mine = primary(TaskRecord).filter(project=settings.PROJECT)
    for first in range(0, len(ids), _AT_ONCE):
        part = mine.filter(task_id__in=ids[first : first + _AT_ONCE])
        found.update(part.values_list("task_id", flat=True))
    return found


def _events(row: dict[str, Any]) -> Iterator[events.TaskEvent]:
    """What happened to the task, as far as its row tells: its start and its end."""
    kind, name = _KINDS[row["status"]], row["task_name"] or ""
    end, start = _seconds(row["date_done"]), _seconds(row["date_started"])
    common = {"task_id": row["task_id"], "name": name, "worker": row["worker"] or ""}
    message: events.Message | None = _message(row, name)
    runtime = None
    if start is not None and start <= end:
        yield events.TaskEvent(events.TASK_STARTED, at=start, message=message, **common)
        message, runtime = None, end - start
    result, failure = _read(row["result"]) if _is_json(row) else None, None
    if kind != events.TASK_SUCCEEDED:
        failure, result = _failure(result, row["traceback"] or ""), None
    yield events.TaskEvent(
        kind,
        at=end,
        message=message,
        runtime=runtime,
        result=events.NULL if result is None else encode_value(result)[0],
        failure=failure if kind == events.TASK_FAILED else None,
        detail=failure.message if failure is not None and kind != events.TASK_FAILED else "",
        **common,
    )


def _message(row: dict[str, Any], name: str) -> events.Message:
    args, kwargs = _arguments(row["task_args"]), _arguments(row["task_kwargs"])
    given: dict[str, Any] = {}
    if isinstance(args, list | tuple):
        given |= {"args": encode_value(list(args))[0], "params": _parameters(name, len(args))}
    elif isinstance(args, str):
        given["argsrepr"] = args
    if isinstance(kwargs, dict):
        given["kwargs"] = encode_value(kwargs)[0]
    elif isinstance(kwargs, str):
        given["kwargsrepr"] = kwargs
    return events.Message(name=name, schedule=row["periodic_task_name"] or "", **given)


def _arguments(text: str | None) -> Any:
    """Arguments as that app keeps them: as JSON, or the JSON of what Python prints."""
    found = _read(text)
    if text and found is None:
        found = text
    if isinstance(found, str) and len(found) <= _ARGUMENTS:
        try:
            plain = ast.literal_eval(found)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return found  # cut, or no plain data
        return plain if isinstance(plain, tuple | list | dict) else found
    return found


def _failure(result: Any, traceback: str) -> events.Failure:
    told = result if isinstance(result, dict) else {}
    said = told.get("exc_message", "")
    said = ", ".join(map(str, said)) if isinstance(said, list) else str(said)
    return events.Failure(str(told.get("exc_type") or "Exception"), said, traceback)


def _is_json(row: dict[str, Any]) -> bool:
    """Whether its result can be read: what is pickled is never unpickled."""
    return str(row["content_type"]).endswith("json")


def _read(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _seconds(at: datetime | None) -> Any:
    return None if at is None else at.timestamp()


@functools.lru_cache(maxsize=1_000)
def _parameters(name: str, count: int) -> Sequence[str]:
    """What the arguments are called, where the task is known here: some may be secret."""
    return bodies.parameter_names(wiring.find_celery_app().app, name, count)
