"""Runs several programs side by side, passes their output on, and stops them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.1


@dataclass
class StopRequest:
    """Whether someone asked this process to stop, and by which signal."""

    signum: int = 0

    def __bool__(self) -> bool:
        return self.signum != 0


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns SIGINT, SIGTERM and SIGHUP into a request that the caller looks at."""
    request = StopRequest()

    def note(signum: int, frame: Any) -> None:
        request.signum = signum

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.signal(signum, note) for signum in signals}
    try:
        yield request
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


class Supervisor:
    """Programs that live and end together.

    Each gets a session of its own, so that a Ctrl-C in the terminal reaches only the
    supervisor, which then stops them in good order.

    Args:
        write: Called with a program's name and a line of its output, from several threads.
        cwd: Where the programs run.
        env: What their environment has beside this process's own.
    """

    def __init__(
        self, write: Callable[[str, str], None], cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._write = write
        self._cwd = cwd
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._programs: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Starts a program under ``name``."""
        program = subprocess.Popen(  # noqa: S603 (the demo's own command lines)
            arguments,
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._programs[name] = program
        reader = threading.Thread(target=self._pass_on, args=(name, program), daemon=True)
        reader.start()
        self._readers.append(reader)

    def ended(self) -> str:
        """The name of a program that has ended, with its exit code; empty while all run."""
        for name, program in self._programs.items():
            if program.poll() is not None:
                return f"{name} (exit code {program.returncode})"
        return ""

    def wait(self, request: StopRequest, pause: Callable[[float], None] = time.sleep) -> str:
        """Waits for a stop request or a program's end; says what :meth:`ended` says.

        Args:
            request: What asks to stop.
            pause: Called between two looks with the seconds that it may take.
        """
        while not request and not self.ended():
            pause(_POLL_SECONDS)
        return self.ended()

    def stop(self, grace: float) -> None:
        """Asks every program to end, waits ``grace`` seconds, then kills what is left."""
        for program in self._programs.values():
            if program.poll() is None:
                program.terminate()
        deadline = time.monotonic() + grace
        for program in self._programs.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(max(0.0, deadline - time.monotonic()))
        for program in self._programs.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        for reader in self._readers:
            reader.join(timeout=1)

    def _pass_on(self, name: str, program: subprocess.Popen[str]) -> None:
        for line in program.stdout or ():
            # A terminal that was closed must not keep the program from writing on.
            with contextlib.suppress(OSError):
                self._write(name, line.rstrip("\n"))
