"""The stack of a task, as its worker answers."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import greenlet
import pytest
from celery.worker import state

from tests.recording import Recorder
from z4j_django.agent import events, messages, stacks

DUMP = f"""Stack (most recent call first):
  File "{__file__}", line 1 in inner
  File "/no/such file", line 7 in <lambda>
  File "/srv/manage.py", line 3 in <module>
"""


def run(thread: int) -> messages.Run:
    return messages.Run(events.TaskEvent("task_started", "t", 1.0), 0.0, "all", thread)


def made(directory: Path, *, name: str = "SIGURG", **running: messages.Run) -> stacks.Stacks:
    return stacks.Stacks(Recorder(), running, name, lambda: directory)


def test_what_faulthandler_wrote_is_read_from_the_outside_in() -> None:
    told = stacks._told(stacks._frames_in(DUMP))["frames"]
    assert told[0] == ("/srv/manage.py", 3, "<module>", "")
    assert told[-1][:3] == (__file__, 1, "inner")
    assert told[-1][3] == '"""The stack of a task, as its worker answers."""'


def test_no_more_than_a_hundred_frames_are_told() -> None:
    text = "".join(f'  File "x.py", line {n} in f{n}\n' for n in range(1000))
    told = stacks._told(stacks._frames_in(text))["frames"]
    assert (len(told), told[-1][2], told[0][2]) == (100, "f0", "f99")


@pytest.mark.parametrize("text", ["", "nonsense", '  File "x", line y in z\n', "\udcff\n" * 9])
def test_what_is_no_frame_is_none(text: str) -> None:
    assert stacks._told(stacks._frames_in(text)) == {"frames": []}


def test_a_thread_tells_where_it_is(tmp_path: Path) -> None:
    gate, there = threading.Event(), threading.Event()

    def work() -> None:
        there.set()
        gate.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    there.wait(30)
    assert thread.ident is not None
    answer = made(tmp_path, t=run(thread.ident)).answer("t")
    gate.set()
    thread.join()
    assert ("work", "gate.wait(30)") in [(one[2], one[3]) for one in answer["frames"]]


def test_so_does_a_green_one_that_waits(tmp_path: Path) -> None:
    def work() -> None:
        greenlet.getcurrent().parent.switch()  # waits

    green = greenlet.greenlet(work)
    green.switch()
    answer = made(tmp_path, t=run(id(green))).answer("t")
    green.switch()
    assert answer["frames"][-1][2:] == ("work", "greenlet.getcurrent().parent.switch()  # waits")
    assert made(tmp_path, t=run(1)).answer("t") == {"none": stacks.UNABLE}


def active(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> Any:
    request = SimpleNamespace(id="t", worker_pid=pid)
    monkeypatch.setattr(state, "requests", {"t": request})
    monkeypatch.setattr(state, "active_requests", [request])
    return request


def test_a_task_that_is_over_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(tmp_path).answer("t") == {"none": stacks.OVER}
    active(monkeypatch, None)
    assert made(tmp_path).answer("t") == {"none": stacks.OVER}


def test_a_child_that_has_not_said_it_listens_is_sent_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    active(monkeypatch, os.getpid() + 1)
    monkeypatch.setattr(os, "kill", lambda *args: pytest.fail("a signal was sent"))
    assert made(tmp_path).answer("t") == {"none": stacks.UNABLE}
    (tmp_path / f"{os.getpid() + 1}.stack").touch()
    assert made(tmp_path, name="").answer("t") == {"none": stacks.UNABLE}


def test_a_child_that_writes_nothing_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    active(monkeypatch, 12345678)
    path = tmp_path / "12345678.stack"
    path.write_text("of before")
    monkeypatch.setattr(stacks, "TIMEOUT", 0.05)
    monkeypatch.setattr(os, "kill", lambda pid, signum: None)
    assert made(tmp_path).answer("t") == {"none": stacks.SILENT}
    monkeypatch.setattr(os, "kill", lambda pid, signum: path.write_text(DUMP))
    assert len(made(tmp_path).answer("t")["frames"]) == 3


def test_a_signal_with_a_handler_is_left_alone() -> None:
    assert not stacks._is_handled(signal.SIGURG)
    before = signal.signal(signal.SIGURG, lambda *args: None)
    try:
        assert stacks._is_handled(signal.SIGURG)
    finally:
        signal.signal(signal.SIGURG, before)


def test_files_of_processes_that_are_no_more_go(tmp_path: Path) -> None:
    mine, gone = tmp_path / f"{os.getpid()}.stack", tmp_path / "99999999.stack"
    for path in (mine, gone, tmp_path / "other.stack"):
        path.touch()
    stacks._sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "other.stack"}
