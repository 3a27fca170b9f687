import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from example_project.shop import site
from example_project.shop.supervise import Supervisor, stop_on_signals

ANSWERS_TERM = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(0)))
print("ready")
while True: signal.pause()
"""
IGNORES_TERM = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: print("ready", child)
while True: signal.pause()
"""


class Output:
    def __init__(self):
        self.lines = []
        self._ready = threading.Event()

    def __call__(self, name, line):
        self.lines.append((name, line))
        if line.startswith("ready"):
            self._ready.set()

    def wait_until_ready(self):
        assert self._ready.wait(30), self.lines


@pytest.fixture
def output():
    return Output()


@pytest.fixture
def supervisor(output):
    supervisor = Supervisor(output, Path.cwd())
    yield supervisor
    supervisor.stop(0)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_program_that_is_stopped_may_say_goodbye(supervisor, output):
    supervisor.start("polite", [sys.executable, "-c", ANSWERS_TERM])
    output.wait_until_ready()
    assert supervisor.ended() == ""
    supervisor.stop(30)
    assert output.lines == [("polite", "ready"), ("polite", "bye")]
    assert supervisor.ended() == "polite (exit code 0)"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_program_that_will_not_stop_is_killed_with_its_children(supervisor, output):
    supervisor.start("deaf", [sys.executable, "-c", IGNORES_TERM])
    output.wait_until_ready()
    child = int(output.lines[0][1].split()[1])
    assert is_running(child)
    supervisor.stop(0.1)
    assert supervisor.ended() == f"deaf (exit code {-signal.SIGKILL})"
    while is_running(child):  # the kernel buries it in its own time
        os.sched_yield()


def test_a_program_that_ends_by_itself_ends_the_wait(supervisor):
    supervisor.start("brief", [sys.executable, "-c", "raise SystemExit(3)"])
    with stop_on_signals() as request:
        assert supervisor.wait(request) == "brief (exit code 3)"


def test_enter_is_answered_and_the_end_of_the_input_is_not():
    reading, writing = os.pipe()
    answers = []
    pause = site.Enter(reading, lambda: answers.append("here"))
    pause(0)
    assert answers == []
    for _ in range(2):
        os.write(writing, b"\n")
        pause(30)
    assert answers == ["here", "here"]
    os.close(writing)
    pause(30)
    pause(0)
    os.close(reading)
    assert answers == ["here", "here"]


def test_a_reader_that_fails_does_not_hold_up_a_program():
    def fail(name, line):
        raise OSError("the terminal is closed")

    supervisor = Supervisor(fail, Path.cwd())
    supervisor.start("loud", [sys.executable, "-c", "print('x' * 1_000_000); print('y')"])
    with stop_on_signals() as request:
        assert supervisor.wait(request) == "loud (exit code 0)"
    supervisor.stop(0)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_a_request_and_the_old_handler_comes_back(signum):
    before = signal.getsignal(signum)
    with stop_on_signals() as request:
        assert not request
        signal.raise_signal(signum)
        assert request
    assert signal.getsignal(signum) == before


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert site.free_port(taken) > taken


def test_no_free_port_is_said_clearly(monkeypatch):
    monkeypatch.setattr(site, "_PORTS_TRIED", 0)
    with pytest.raises(CommandError, match="No port is free"):
        site.free_port(8000)


def test_a_line_carries_the_name_of_its_program():
    assert site.prefixed("beat", "tick", colour=False) == "  beat | tick"
    assert site.prefixed("beat", "tick", colour=True) == "\x1b[35m  beat | \x1b[0mtick"
