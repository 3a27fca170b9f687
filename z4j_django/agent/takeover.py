"""Ships a journal in the place of the shipper process that a worker has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from z4j_django.agent import inspection, shipper, shipper_process
from z4j_django.agent.sink import Sink
from z4j_django.exceptions import JournalError

#: Seconds that another shipper may take to store what is there and go.
TIMEOUT: Final = shipper_process.DRAIN + 10.0
#: Seconds after which the lease is tried again: another worker may have been quicker.
_TRY: Final = 2.0


@dataclass(frozen=True)
class _Process:
    user: int
    command: str


def ship(
    directory: Path,
    make_sink: Callable[[], Sink],
    *,
    max_bytes: int,
    stop: threading.Event,
    until: Callable[[], bool] = lambda: False,
    timeout: float = TIMEOUT,
    drain: float = shipper_process.DRAIN,
    tell: Callable[[str], None],
) -> None:
    """Ship ``directory`` as ``shipper_process.ship`` does, once its present shipper has gone.

    Args:
        directory: The journal.
        make_sink: Makes the sink, once the lease is ours.
        max_bytes: Size past which the oldest closed segments are dropped.
        stop: Set to stop.
        until: Asked between two batches; true to stop.
        timeout: Seconds to wait for another shipper to go.
        drain: Seconds to spend at the end on what is there.
        tell: Takes a line about what goes on.

    Raises:
        JournalError: If someone else ships who can't be asked to go, or does not go.
    """
    deadline = time.monotonic() + timeout
    asked: set[int] = set()
    while not stop.is_set():
        found = inspection.holder(shipper.process_lease(directory).path)
        if found is not None and found.pid and found.pid not in asked:
            if _ask_to_go(directory, found.pid):
                tell(f"Asked the worker's shipper, process {found.pid}, to go.")
            asked.add(found.pid)
        if shipper_process.ship(
            directory,
            make_sink,
            max_bytes=max_bytes,
            stop=stop,
            until=until,
            timeout=_TRY,
            drain=drain,
        ):
            return
        if time.monotonic() > deadline:
            raise JournalError(_who_stays(directory, timeout))


def _ask_to_go(directory: Path, pid: int) -> bool:
    """Send SIGTERM to a worker's shipper, and to nothing else.

    Returns:
        Whether it was sent; false where the process is gone.

    Raises:
        JournalError: If the process is not a worker's shipper of this journal and user.
    """
    with contextlib.ExitStack() as stack:
        try:
            send = _handle_on(pid, stack)
        except ProcessLookupError:
            return False
        # The handle came first: from here on the number can't come to mean another process.
        process = _process(pid)
        holder = inspection.holder(shipper.process_lease(directory).path)
        if process is None or holder is None or holder.pid != pid:
            return False
        ours = f"--directory={directory}"
        words = process.command.split("\0")
        if "z4j_django.agent.shipper_process" not in words or ours not in words:
            raise JournalError(
                f"Process {pid} ships {directory}, and is no shipper that a worker of this host "
                "has started: end it first."
            )
        if process.user != os.geteuid():
            raise JournalError(f"Process {pid} ships {directory}, and is another user's.")
        try:
            send()
        except ProcessLookupError:
            return False
        return True


def _handle_on(pid: int, stack: contextlib.ExitStack) -> Callable[[], None]:
    """How to send SIGTERM to the process that has this number now."""
    if not hasattr(os, "pidfd_open"):  # macOS
        os.kill(pid, 0)
        return lambda: os.kill(pid, signal.SIGTERM)
    fd = os.pidfd_open(pid)
    stack.callback(os.close, fd)
    return lambda: signal.pidfd_send_signal(fd, signal.SIGTERM)


def _process(pid: int) -> _Process | None:
    """Whose process it is, and its command line with zero bytes between the words."""
    folder = Path(f"/proc/{pid}")
    try:
        if Path("/proc/self").exists():
            return _Process(folder.stat().st_uid, (folder / "cmdline").read_text(errors="replace"))
        return _process_by_ps(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _process_by_ps(pid: int) -> _Process | None:
    found = subprocess.run(  # noqa: S603  # a number, and no shell
        ["ps", "-o", "uid=,command=", "-p", str(pid)],  # noqa: S607  # wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    user, _, command = found.stdout.strip().partition(" ")
    return _Process(int(user), command.replace(" ", "\0")) if user.isdigit() else None


def _who_stays(directory: Path, seconds: float) -> str:
    for lease, kind in ((shipper.process_lease, "Process"), (shipper.lease, "A thread of process")):
        found = inspection.holder(lease(directory).path)
        if found is not None:
            who = f"{kind} {found.pid}" if found.pid else "Another process"
            return f"{who} still ships {directory} after {seconds:g} s."
    return f"The lease of {directory} went from one process to another for {seconds:g} s."
