"""How far a running task says it is: ``self.z4j.progress()`` and ``z4j_django.progress()``.

Nothing listens, and nothing is looked at, until a task of the process says something for the
first time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from celery import signals
from celery._state import get_current_task
from celery.app.task import Task
from celery.exceptions import SoftTimeLimitExceeded

from z4j_django.agent import events, messages
from z4j_django.agent.sampling import ALL
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises
from z4j_django.agent.throttle import Throttle
from z4j_django.values import SHORT

#: Seconds between two words of one task in the journal, but for the last.
EVERY: Final = 1.0


class _Told(msgspec.Struct):
    """What a run said last."""

    run: messages.Run
    throttle: Throttle
    waiting: tuple[Any, Any, Any] | None = None


class Progress(SignalHandlers):
    """Journals what tasks say: at once, then once a second at most, and the last at their end.

    Args:
        recorder: Where the events go.
        running: The tasks that run in this process.
    """

    def __init__(self, recorder: Recorder, running: Mapping[str, messages.Run]) -> None:
        super().__init__(recorder)
        self._running = running
        self._told: dict[str, _Told] = {}
        self._listens = False

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {signals.task_postrun: self.task_postrun}

    @never_raises
    def tell(self, current: Any, total: Any, text: Any) -> None:
        """The task of this thread is so far."""
        task = get_current_task()
        run = None if task is None else self._running.get(task.request.id)
        if run is None or run.keep != ALL:
            return
        if not self._listens:
            self._listens = True
            self.connect()
        told = self._told.get(run.start.task_id)
        if told is None or told.run is not run:
            told = self._told[run.start.task_id] = _Told(run, Throttle(run.start.at, EVERY))
        told.waiting = (current, total, text)
        if told.throttle.may():
            self._write(told)

    @never_raises
    def task_postrun(self, sender: Any, task_id: str, **kwargs: Any) -> None:
        """The task's code is done."""
        told = self._told.pop(task_id, None)
        if told is not None:
            self._write(told)

    def _write(self, told: _Told) -> None:
        if told.waiting is None:
            return
        (current, total, text), told.waiting = told.waiting, None
        said = events.Progress(_number(current), _number(total), _text(text))
        start = told.run.start
        self.recorder.record(
            events.TaskEvent(
                kind=events.TASK_PROGRESS,
                task_id=start.task_id,
                at=told.throttle.now(),
                name=start.name,
                retries=start.retries,
                nesting=start.nesting,
                worker=start.worker,
                queue=start.queue,
                progress=said,
            )
        )


def _number(value: Any) -> float | None:
    """What can be drawn as a part of a bar; nothing for anything else."""
    try:
        number = float(value)
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # whatever the project's own number does
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    try:
        return (value if type(value) is str else str(value))[:SHORT]
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # likewise
        return ""


#: Of the agent of this process, if it has one.
_teller: Progress | None = None


def listen(teller: Progress) -> None:
    """Have ``teller`` told what the tasks of this process say."""
    global _teller
    _teller = teller


def progress(current: float | None = None, total: float | None = None, text: str = "") -> None:
    """Say how far the running task is. It never raises, and does nothing outside of a task.

    Args:
        current: How much is done.
        total: Of how much.
        text: What it does at the moment; the first 255 characters are kept.
    """
    if _teller is not None:
        _teller.tell(current=current, total=total, text=text)


class OfTask:
    """What a task has as ``self.z4j``.

    Args:
        option: What the task says to us under that name: how much of it to record.
    """

    def __init__(self, option: Any = None) -> None:
        self.option = option

    progress = staticmethod(progress)


def offer() -> None:
    """Give all tasks ``self.z4j``, those too that have an option of this name."""
    if isinstance(getattr(Task, "z4j", None), OfTask):
        return
    Task.z4j = OfTask()
    Task.__init_subclass__ = classmethod(_made)
    for kind in _descendants(Task):
        _give(kind)


def _made(kind: Any, /, **kwargs: Any) -> None:
    super(Task, kind).__init_subclass__(**kwargs)
    _give(kind)


def _give(kind: type[Task]) -> None:
    option = kind.__dict__.get("z4j")
    if option is not None and not isinstance(option, OfTask):
        kind.z4j = OfTask(option)


def _descendants(kind: type[Task]) -> list[type[Task]]:
    found: list[type[Task]] = []
    for one in kind.__subclasses__():
        found += [one, *_descendants(one)]
    return found
