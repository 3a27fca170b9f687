"""Taking a journal over from the shipper that a worker has started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.sinks import MemorySink
from z4j_django.agent import events, journal, shipper, takeover
from z4j_django.exceptions import JournalError

HOLD = """
import sys, threading
from pathlib import Path
from z4j_django.agent import shipper
lease = getattr(shipper, sys.argv[1])(Path(sys.argv[2]))
assert lease.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def ship(directory: Path, sink: MemorySink, timeout: float = 0.0) -> list[str]:
    said: list[str] = []
    takeover.ship(
        directory,
        lambda: sink,
        max_bytes=1000,
        stop=threading.Event(),
        until=lambda: True,
        timeout=timeout,
        tell=said.append,
    )
    return said


def hold(directory: Path, lease: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, lease, str(directory)]
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_where_nobody_ships_it_does_at_once(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id="a", at=1.0)))
    sink = MemorySink()
    assert ship(directory, sink) == []
    assert sink.ids == ["a"]


def test_a_holder_that_no_worker_has_started_is_left_alone(directory: Path) -> None:
    holder = hold(directory, "process_lease")
    message = f"Process {holder.pid} ships {directory}, and is no shipper that a worker of this"
    with pytest.raises(JournalError, match=message):
        ship(directory, MemorySink())
    assert holder.poll() is None
    holder.communicate("")
    assert holder.returncode == 0


def test_a_holder_whose_number_is_another_process_is_not_harmed(directory: Path) -> None:
    holder = hold(directory, "process_lease")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    shipper.process_lease(directory).path.write_text(f"{other.pid}\n")
    with pytest.raises(JournalError):
        ship(directory, MemorySink())
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0
    holder.communicate("")


def test_a_stop_while_it_waits_ends_the_wait(directory: Path) -> None:
    stop = threading.Event()
    stop.set()
    takeover.ship(directory, MemorySink, max_bytes=1000, stop=stop, tell=lambda line: None)
    assert not directory.exists()


def test_another_users_shipper_is_left_alone(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = shipper.process_lease(directory)
    assert lease.acquire()
    words = f"python\0-m\0z4j_django.agent.shipper_process\0--directory={directory}"
    process = takeover._Process(os.geteuid() + 1, words)
    monkeypatch.setattr(takeover, "_process", lambda pid: process)
    with pytest.raises(JournalError, match=r"and is another user's\."):
        ship(directory, MemorySink())
    lease.release()


def test_the_processes_of_a_system_without_proc_are_asked_of_ps() -> None:
    found = takeover._process_by_ps(os.getpid())
    assert found is not None
    assert found.user == os.geteuid()
    assert takeover._process_by_ps(2**22 + 1) is None
