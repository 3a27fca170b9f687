"""What a running task does at this moment: a remote control command that answers with its stack.

A child of a pool writes its stack down itself, by a signal, at any instruction and without the
interpreter's lock: ``faulthandler`` does. It goes into a file in the journal's directory, that the
worker's main process reads. Of pools within the main process the interpreter tells the frames. A
stack has files, lines, functions and source lines, and no values.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import linecache
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from celery import signals

from z4j_django import logs
from z4j_django.agent import messages, private
from z4j_django.agent.process import is_pool_child
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises

logger = logs.logger("z4j_django.agent")

#: The remote control command.
COMMAND: Final = "z4j_stack"
SUFFIX: Final = ".stack"
#: Frames that are told, the innermost; faulthandler writes as many.
FRAMES: Final = 100
#: Seconds that the main process waits for a child, and looks again after; a child that is stopped,
#: or waits for its disk, writes nothing.
TIMEOUT: Final = 0.5
_LOOK: Final = 0.01
#: Characters of a path, a function and a source line.
_PATH: Final = 500
_LINE: Final = 300
_LONGEST: Final = 256 * 1024

#: Why there is no stack, in the place of frames.
OVER: Final = "over"
UNABLE: Final = "unable"
SILENT: Final = "silent"

_FRAME: Final = re.compile(r'  File "(.*)", line (\d+) in (.*)')
#: Behind these a stack is whole: the outermost frame of a program, and what is left out past 100.
_END: Final = re.compile(r"(?: in <module>|\n  \.\.\.)\n\Z")

#: File, line, function, and the line of the source.
Frame = tuple[str, int, str, str]


class Stacks(SignalHandlers):
    """Has the children of a pool write down their stacks, and the main process answer with them.

    Args:
        recorder: Whether this process records at all.
        running: The tasks that run in this process.
        signal_name: By which children are asked; empty for none.
        find_directory: Where their files are.
    """

    def __init__(
        self,
        recorder: Recorder,
        running: Mapping[str, messages.Run],
        signal_name: str,
        find_directory: Callable[[], Path],
    ) -> None:
        super().__init__(recorder)
        self._running = running
        self._signal = getattr(signal, signal_name, None) if signal_name else None
        self._find_directory = find_directory
        self._file: Any = None

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {
            signals.worker_init: self.worker_init,
            signals.worker_process_init: self.worker_process_init,
            signals.worker_process_shutdown: self.worker_process_shutdown,
        }

    @never_raises
    def worker_init(self, sender: Any, **kwargs: Any) -> None:
        """A worker is being made: it learns the command."""
        from celery.worker import control  # much code that only a worker needs

        def z4j_stack(state: Any, task_id: str, **kwargs: Any) -> dict[str, Any]:
            return self.answer(str(task_id))

        register = control.inspect_command(
            name=COMMAND,
            args=[("task_id", str)],
            signature="<task_id>",
            help="The Python stack of a running task.",
        )
        register(z4j_stack)
        with contextlib.suppress(Exception):  # what is left over harms nobody
            _sweep(self._find_directory())

    @never_raises
    def worker_process_init(self, **kwargs: Any) -> None:
        """A child of a pool begins: it listens to the signal, where nobody else does."""
        if self._signal is None or not is_pool_child():
            return
        try:
            path = self._path(os.getpid())
            path.unlink(missing_ok=True)
            if _is_handled(self._signal):
                logger.warning(
                    "z4j can't tell stacks of this process: %s has a handler of somebody else. "
                    "Z4J['STACK_SIGNAL'] may name another signal.",
                    self._signal.name,
                )
                return
            private.make(path.parent)
            flags = (
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            )
            self._file = os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)
            faulthandler.register(self._signal, self._file, all_threads=False, chain=False)
        except Exception as error:  # a child that can't tell its stack still works
            logger.warning("z4j can't tell stacks of this process: %s", error)

    @never_raises
    def worker_process_shutdown(self, **kwargs: Any) -> None:
        """A child of a pool ends."""
        if self._file is not None:
            self._path(os.getpid()).unlink(missing_ok=True)

    def answer(self, task_id: str) -> dict[str, Any]:
        """The stack of a task of this worker, the innermost frame last, or why there is none."""
        run = self._running.get(task_id)
        if run is not None:
            frame = _frame_of(run.thread)
            return _told(_frames_from(frame)) if frame is not None else {"none": UNABLE}
        from celery.worker import state

        request = state.requests.get(task_id)
        if request is None or request not in state.active_requests or not request.worker_pid:
            return {"none": OVER}
        return self._of_child(request.worker_pid)

    def _of_child(self, pid: int) -> dict[str, Any]:
        path = self._path(pid)
        if self._signal is None or pid == os.getpid() or not path.is_file():
            return {"none": UNABLE}
        os.truncate(path, 0)
        try:
            os.kill(pid, self._signal)
        except ProcessLookupError:
            return {"none": OVER}
        text = _written(path)
        return _told(_frames_in(text)) if text else {"none": SILENT}

    def _path(self, pid: int) -> Path:
        return self._find_directory() / f"{pid}{SUFFIX}"


def _is_handled(signum: signal.Signals) -> bool:
    """Whether a signal has a handler, be it Python's or a library's own."""
    if signal.getsignal(signum) not in (signal.SIG_DFL, signal.SIG_IGN):
        return True
    with contextlib.suppress(OSError, ValueError):  # Linux alone tells of those of libraries
        status = Path("/proc/self/status").read_text()
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signum - 1) & 1)
    return False


def _sweep(directory: Path) -> None:
    """Remove the files of processes that are no more."""
    for path in directory.glob(f"*{SUFFIX}"):
        if path.stem.isdigit():
            try:
                os.kill(int(path.stem), 0)
            except ProcessLookupError:
                path.unlink(missing_ok=True)
            except OSError:  # another user's, by now
                pass


def _written(path: Path) -> str:
    """What a child writes, as soon as it is whole or no more comes."""
    until = time.monotonic() + TIMEOUT
    before = text = ""
    while time.monotonic() < until:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST)
        if _END.search(text):
            break
        if text and text == before:
            until = min(until, time.monotonic() + 5 * _LOOK)
        before = text
        time.sleep(_LOOK)
    return text


def _frames_in(text: str) -> Iterator[Frame]:
    """The frames that faulthandler wrote, the innermost first."""
    for line in text.splitlines():
        if found := _FRAME.fullmatch(line):
            yield _frame(found[1], int(found[2]), found[3])


def _frames_from(frame: FrameType | None) -> Iterator[Frame]:
    while frame is not None:
        code = frame.f_code
        yield _frame(code.co_filename, frame.f_lineno or 0, code.co_name)
        frame = frame.f_back


def _frame(path: str, line: int, function: str) -> Frame:
    linecache.checkcache(path)
    source = linecache.getline(path, line).strip()
    return path[:_PATH], line, function[:_PATH], source[:_LINE]


def _told(frames: Iterator[Frame]) -> dict[str, Any]:
    found: list[Frame] = []
    for frame in frames:
        if len(found) == FRAMES:
            break
        found.append(frame)
    return {"frames": found[::-1]}


def _frame_of(thread: int) -> FrameType | None:
    """The innermost frame of a thread, or of a green one that waits."""
    frame = sys._current_frames().get(thread)
    if frame is not None:
        return frame
    greenlets = sys.modules.get("greenlet")
    if greenlets is None:
        return None
    # Nobody keeps a list of them; this is asked for by people, seldom.
    for one in gc.get_objects():
        if id(one) == thread and isinstance(one, greenlets.greenlet):
            found: FrameType | None = one.gr_frame
            return found
    return None
