"""What a running task writes to its loggers, as far as ``Z4J["LOGS"]`` keeps it.

A handler on the root logger, and on those that pass nothing on to it, knows which task its thread
runs. It waits for no lock and formats with nothing of the project's.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from celery import signals, states
from celery._state import get_current_task
from celery.exceptions import SoftTimeLimitExceeded

from z4j_django.agent import events, failures, messages
from z4j_django.agent.sampling import ALL, NOTHING
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises
from z4j_django.agent.throttle import Throttle

#: Lines of an attempt that are kept, bytes of all, and characters of one.
LINES: Final = 200
BYTES: Final = 64 * 1024
LINE: Final = 4_000
#: Characters of a logger's name, and of a level's.
_NAME: Final = 100
_LEVEL: Final = 20
#: Seconds between two times that a task's lines are journaled, but for its end.
EVERY: Final = 10.0

#: Ours begin so, of which nothing may come back to us; and Celery's word of how a task ended, which
#: its record has.
_OURS: Final = "z4j"
_ENDS: Final = "celery.app.trace"
_GOOD: Final = frozenset({states.SUCCESS, states.IGNORED})


class _Log(msgspec.Struct):
    """The newest lines of a run."""

    run: messages.Run
    throttle: Throttle
    lines: deque[tuple[events.LogLine, int]]
    size: int = 0
    dropped: int = 0
    #: Of which the journal knows nothing yet.
    is_news: bool = False
    #: While a record is made a text, which may log again.
    busy: bool = False
    #: By which one is known that comes by two handlers.
    last: weakref.ref[logging.LogRecord] | None = None

    def add(self, line: events.LogLine) -> None:
        """Keep a line, and let go of those that are too many."""
        size = len(line.text.encode(errors="replace")) + len(line.logger) + len(line.level)
        self.lines.append((line, size))
        self.size += size
        self.is_news = True
        while len(self.lines) > LINES or self.size > BYTES:
            self.size -= self.lines.popleft()[1]
            self.dropped += 1


class TaskLogs(SignalHandlers):
    """Journals the lines of a task: the first at once, then now and then, and all at its end.

    Args:
        recorder: Where the events go.
        running: The tasks that run in this process.
        level: The least level that is kept.
    """

    def __init__(self, recorder: Recorder, running: Mapping[str, messages.Run], level: int) -> None:
        super().__init__(recorder)
        self._running = running
        self._handler = _Handler(self, level)
        self._logs: dict[str, _Log] = {}

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {
            signals.task_prerun: self.task_prerun,
            signals.task_postrun: self.task_postrun,
        }

    def disconnect(self) -> None:
        """Listen no more."""
        super().disconnect()
        for logger in _ends():
            logger.removeHandler(self._handler)

    @never_raises
    def task_prerun(self, sender: Any, **kwargs: Any) -> None:
        """A task is about to run; whatever configured logging meanwhile may have put us out."""
        if self._handler not in logging.root.handlers:
            for logger in _ends():
                logger.addHandler(self._handler)

    @never_raises
    def task_postrun(self, sender: Any, task_id: str, state: str | None, **kwargs: Any) -> None:
        """The task's code is done."""
        log = self._logs.pop(task_id, None)
        if log is not None and (log.run.keep == ALL or state not in _GOOD):
            self._write(log)

    def take(self, record: logging.LogRecord) -> None:
        """Keep a record, if a task of this thread wrote it; never raises."""
        try:
            if self.recorder.wants_events():
                self._take(record)
        except SoftTimeLimitExceeded:  # it is for the task, wherever it comes
            raise
        except Exception as error:  # counted, and the task goes on
            self.recorder.lost(error)

    def _take(self, record: logging.LogRecord) -> None:
        task = get_current_task()
        run = None if task is None else self._running.get(task.request.id)
        if run is None or run.keep == NOTHING:
            return
        log = self._logs.get(run.start.task_id)
        if log is None or log.run is not run:
            log = _Log(run, Throttle(run.start.at, EVERY), deque())
            self._logs[run.start.task_id] = log
        if log.busy or (log.last is not None and log.last() is record):
            return
        log.busy, log.last = True, weakref.ref(record)
        try:
            log.add(_line(record))
        finally:
            log.busy = False
        if run.keep == ALL and log.throttle.may():
            self._write(log)

    def _write(self, log: _Log) -> None:
        if not log.is_news:
            return
        log.is_news = False
        start = log.run.start
        self.recorder.record(
            events.LogEvent(
                task_id=start.task_id,
                at=log.throttle.now(),
                retries=start.retries,
                nesting=start.nesting,
                lines=[line for line, _ in log.lines],
                dropped=log.dropped,
            )
        )


class _Handler(logging.Handler):
    """Hands records on, without the lock that other handlers wait for."""

    def __init__(self, logs: TaskLogs, level: int) -> None:
        super().__init__(level)
        self._logs = logs

    def createLock(self) -> None:  # noqa: N802  # as ``logging`` spells it
        """There is none."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record of anybody's but our own."""
        is_others = not record.name.startswith(_OURS) and record.name != _ENDS
        if is_others:
            self._logs.take(record)
        return is_others


def _ends() -> Iterator[logging.Logger]:
    """The loggers that records do not pass: the root, and others by their settings."""
    yield logging.root
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not logger.propagate:
            yield logger


def _line(record: logging.LogRecord) -> events.LogLine:
    at = record.created if 0 < record.created < time.time() + 86400 else time.time()
    return events.LogLine(
        at, str(record.levelname)[:_LEVEL], str(record.name)[:_NAME], _text(record)
    )


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # whatever the arguments do as texts
        text = f"{str(record.msg)[:LINE]} ({type(error).__name__} in its arguments)"
    text = failures.middle_cut(text, LINE)
    if record.exc_info:
        raised = record.exc_text or logging.Formatter().formatException(record.exc_info)
        text = failures.middle_cut(f"{text}\n{raised}", LINE)
    return text
