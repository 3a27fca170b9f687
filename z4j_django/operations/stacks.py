"""What a running task does at this moment: a look, which its worker is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from z4j_django import logs, permissions, states, wiring
from z4j_django.agent import stacks
from z4j_django.conf import settings
from z4j_django.control import remote_control
from z4j_django.models import TaskRecord
from z4j_django.secrets import redaction
from z4j_django.timeouts import within
from z4j_django.values import clean

logger = logs.logger("z4j_django.operations")

#: Seconds in which the worker may answer, and in which all is told.
TIMEOUT: Final = 4.5
WITHIN: Final = 5.0
#: Characters of a path, a function and a line.
_LINE: Final = 500

#: What there is to say in the place of a stack.
_WORDS: Final = {
    stacks.OVER: "The task is over: its worker does not run it any more.",
    stacks.UNABLE: "Its worker can't tell the stack of this process: its log says why, or its pool "
    "has no signal to ask by.",
    stacks.SILENT: "The process that runs it did not write its stack down in time: it is stopped, "
    "or waits for a disk.",
}
_NO_ANSWER: Final = (
    "The worker {worker} did not answer in time: it is gone, or busy, as a solo worker is until "
    "its task is over."
)
_OLDER: Final = "The worker {worker} has no z4j_django that can tell a stack."
_BROKER: Final = "The worker can't be asked: {error}"


@dataclass(frozen=True)
class Frame:
    """A function that was called, and the line at which it is."""

    path: str
    line: int
    function: str
    source: str


@dataclass(frozen=True)
class Stack:
    """What a task does.

    Attributes:
        frames: The innermost last; none where it could not be told.
        sentence: Why not.
    """

    frames: tuple[Frame, ...] = ()
    sentence: str = ""

    @property
    def text(self) -> str:
        """As Python writes a traceback."""
        return "\n".join(
            f'  File "{one.path}", line {one.line}, in {one.function}\n    {one.source}'.rstrip()
            for one in self.frames
        )


def look(task: TaskRecord, *, actor: permissions.Actor) -> Stack:
    """The stack of the process that runs ``task``, now, or a sentence in its place.

    Args:
        task: Of any project; its worker is on this project's broker.
        actor: Who asks. It is no operation, and leaves a line in the log alone.

    Raises:
        PermissionDenied: If ``actor`` may not see stacks.
    """
    permissions.require(actor, "stack")
    logger.info("%s looks at the stack of %s.", permissions.name_of(actor), task.task_id)
    if task.state != states.STARTED:
        return Stack(sentence=f"The task does not run: it is {task.state}.")
    if not task.worker:
        return Stack(sentence="It is not on record which worker runs it.")
    try:
        return _told(within(WITHIN, lambda: _ask(task)), task)
    except Exception as error:  # whatever a transport raises
        reason = str(error) or type(error).__name__
        return Stack(sentence=_BROKER.format(error=redaction.redact_text(reason, 200)))


def _ask(task: TaskRecord) -> dict[str, Any]:
    app = wiring.find_celery_app().app
    return remote_control.stack(app, task.worker, task.task_id, timeout=TIMEOUT)


def _told(reply: dict[str, Any], task: TaskRecord) -> Stack:
    if frames := tuple(_frames(reply.get("frames"))):
        return Stack(frames)
    if sentence := _WORDS.get(str(reply.get("none"))):
        return Stack(sentence=sentence)
    words = _OLDER if reply else _NO_ANSWER
    return Stack(sentence=words.format(worker=task.worker))


def _frames(told: Any) -> Iterator[Frame]:
    """The frames of an answer, which anybody may have sent who has the broker; masked."""
    rules = settings.redaction
    for one in told[-stacks.FRAMES :] if isinstance(told, list) else ():
        match one:
            case [str(path), int(line), str(function), str(source)]:
                shown = redaction.redact_text(source, _LINE, rules)
                yield Frame(clean(path, _LINE), line, clean(function, _LINE), shown)
