"""The shipper as a process of its own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.sinks import MemorySink
from z4j_django.agent import shipper, shipper_process
from z4j_django.exceptions import Z4JError


def test_the_command_line_carries_no_secret(tmp_path: Path) -> None:
    command = shipper_process.command(tmp_path, "package.module:sink", 42, 1000)
    assert command[1:] == [
        "-m",
        "z4j_django.agent.shipper_process",
        f"--directory={tmp_path}",
        "--sink=package.module:sink",
        "--parent=42",
        "--max-bytes=1000",
    ]


@pytest.mark.parametrize("path", ["no.such.module:sink", "tests.sinks:Nothing", "nonsense"])
def test_a_sink_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(Z4JError, match=f"There is no sink '{path}'"):
        shipper_process.load_sink(path)


def test_where_another_process_ships_it_does_not(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    other = shipper.process_lease(directory)
    assert other.acquire()
    shipped = shipper_process.ship(
        directory, MemorySink, max_bytes=1000, stop=threading.Event(), timeout=0.1
    )
    assert not shipped


def test_a_command_that_fails_to_get_the_lease_holds_none(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    thread = shipper.lease(directory)
    assert thread.acquire()
    stop = threading.Event()
    stop.set()
    assert not shipper_process.ship(directory, MemorySink, max_bytes=1000, stop=stop)
    assert shipper.process_lease(directory).is_free()
