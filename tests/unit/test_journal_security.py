"""Nobody but the journal's user reads it, writes to it, or has it written elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journals import line, ship
from tests.sinks import MemorySink
from tests.users import NOBODY, as_nobody, as_root
from z4j_django import wiring
from z4j_django.agent import events, inspection, journal, leases, shipper
from z4j_django.exceptions import JournalError, SegmentError

LOCKS = ("lease.lock", "process.lock")


def refused(work: Callable[[], Any]) -> str:
    """The name of the error that ``work`` ends with; empty where it was allowed."""
    try:
        work()
    except OSError as error:
        return type(error).__name__
    return ""


@pytest.fixture
def directory(shared: Path) -> Path:
    return shared / "journal"


def write_everything(directory: Path, sink: MemorySink) -> None:
    """Make every file that a journal ever has."""
    sink.poison = b"bad"
    writer = journal.Journal(directory, "shop")
    for name in ("good", "bad", "last"):
        writer.write(line(name))
    held = [leases.Lease(directory / name) for name in LOCKS]
    assert all(lease.acquire() for lease in held)
    assert ship(directory, sink)


def test_whatever_the_umask_all_is_private(directory: Path, sink: MemorySink) -> None:
    before = os.umask(0)
    try:
        write_everything(directory, sink)
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert {*LOCKS, shipper.DEAD} < set(modes)
    assert set(modes.values()) == {0o600}
    assert {path.stat().st_uid for path in directory.iterdir()} == {os.geteuid()}


def test_nothing_is_written_outside_the_directory(shared: Path, sink: MemorySink) -> None:
    write_everything(shared / "journal", sink)
    assert [path.name for path in shared.iterdir()] == ["journal"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "pipe"])
def test_what_is_no_directory_is_not_used_as_one(shared: Path, directory: Path, kind: str) -> None:
    target = shared / "target"
    if kind == "link":
        target.mkdir(mode=0o700)
    if "link" in kind:
        directory.symlink_to(target)
    elif kind == "file":
        directory.touch()
    else:
        os.mkfifo(directory)
    with pytest.raises(JournalError, match="is not a directory; move it away"):
        journal.Journal(directory, "shop").write(line("a"))
    assert not target.exists() or list(target.iterdir()) == []


def _plant_segment(path: Path, kind: str, elsewhere: Path) -> None:
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "dangling link":
        path.symlink_to(path.with_name("nowhere"))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "directory":
        (path / "within").mkdir(parents=True)
    else:
        shutil.copyfile(elsewhere, path)
        os.chown(path, NOBODY, NOBODY)


KINDS = ("link", "dangling link", "pipe", "socket", "directory")


@pytest.mark.parametrize("kind", [*KINDS, pytest.param("another's", marks=as_root)])
def test_a_planted_segment_is_set_aside_and_holds_up_nothing(
    shared: Path,
    directory: Path,
    sink: MemorySink,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = journal.Journal(shared / "other", "shop")
    other.write(line("planted"))
    [elsewhere] = journal.segments(shared / "other")
    writer = journal.Journal(directory, "shop")
    writer.write(line("ours"))
    planted = directory / f"0-1-x{journal.SUFFIX}"
    _plant_segment(planted, kind, elsewhere)
    with pytest.raises(SegmentError):
        journal.SegmentFile(planted)
    assert inspection.look(directory).writers == 1
    assert ship(directory, sink)
    assert sink.ids == ["ours"]
    assert elsewhere.exists()
    assert not os.path.lexists(planted)
    assert len(caplog.messages) == 1


def test_what_can_not_be_set_aside_is_skipped_where_it_is(
    directory: Path, sink: MemorySink, caplog: pytest.LogCaptureFixture
) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("ours"))
    planted = directory / "0.journal"
    planted.mkdir()
    (directory / "0.journal.unreadable" / "within").mkdir(parents=True)
    sink.failing = ConnectionError("database is away")
    ships = shipper.Shipper(directory, sink, max_bytes=10)
    ships.step()
    sink.failing = None
    assert ships.drain(5.0)
    assert sink.ids == ["ours"]
    assert planted.exists()
    assert [message for message in caplog.messages if "0.journal" in message] == [
        f"The journal segment {planted} is no file of user {os.geteuid()}. It is set aside as "
        "0.journal.unreadable."
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["1.unborn", "1-2-3.4.unwritten.shop.lost", "x.losing"])
def test_what_has_the_name_of_another_file_of_ours_holds_up_nothing(
    shared: Path, directory: Path, sink: MemorySink, kind: str, name: str
) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("ours"))
    _plant_segment(directory / name, kind, shared)
    assert ship(directory, sink)
    assert sink.ids == ["ours"]
    assert not sink.losses


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_that_is_a_link_is_not_followed(
    shared: Path, directory: Path, name: str
) -> None:
    directory.mkdir(mode=0o700)
    target = shared / "target"
    target.write_text("precious")
    (directory / name).symlink_to(target)
    lease = leases.Lease(directory / name)
    for attempt in (lease.acquire, lease.is_free):
        assert refused(attempt) == "OSError"
    assert target.read_text() == "precious"


def test_dead_events_are_not_written_through_a_link(
    shared: Path, directory: Path, sink: MemorySink
) -> None:
    directory.mkdir(mode=0o700)
    target = shared / "target"
    target.write_text("precious")
    (directory / shipper.DEAD).symlink_to(target)
    journal.Journal(directory, "shop").write(line("bad"))
    sink.poison = b"bad"
    assert ship(directory, sink)
    assert target.read_text() == "precious"
    assert sink.losses == {events.UNSTORABLE: 1}


@as_root
def test_another_user_can_neither_read_nor_plant_nor_hold_a_lock(
    shared: Path, directory: Path, sink: MemorySink
) -> None:
    write_everything(directory, sink)
    segment = journal.segments(directory)[0]
    attempts: dict[str, Callable[[], object]] = {
        "list": lambda: os.listdir(directory),
        "read": segment.read_bytes,
        "read the dead": (directory / shipper.DEAD).read_bytes,
        "append": lambda: os.open(segment, os.O_WRONLY | os.O_APPEND),
        "plant": (directory / "0-1-x.journal").touch,
        "link": lambda: (directory / "x.journal").symlink_to("/etc/passwd"),
        "replace a lock": lambda: os.replace("/etc/passwd", directory / LOCKS[0]),
        "remove a lock": (directory / LOCKS[0]).unlink,
        "lock": lambda: os.open(directory / LOCKS[0], os.O_RDONLY),
        "open to all": lambda: directory.chmod(0o777),
        "move away": lambda: directory.rename(shared / "mine"),
        "hard link": lambda: os.link(segment, shared / "mine"),
    }
    found = as_nobody(lambda: {name: refused(work) for name, work in attempts.items()})
    assert found == dict.fromkeys(attempts, "PermissionError")
    journal.Journal(directory, "shop").write(line("after"))
    assert ship(directory, sink)
    assert sink.ids == ["good", "last", "after"]


@as_root
@pytest.mark.parametrize("link", [False, True])
def test_a_directory_that_another_user_made_first_is_refused_and_stays_empty(
    shared: Path, directory: Path, link: bool
) -> None:
    def squat() -> None:
        mine = shared / "mine" if link else directory
        mine.mkdir(mode=0o700)
        if link:
            directory.symlink_to(mine)

    as_nobody(squat)
    with pytest.raises(JournalError, match=r"belongs to user 65534|is not a directory"):
        journal.Journal(directory, "shop").write(line("secret"))
    for name in LOCKS:
        with pytest.raises(JournalError):
            leases.Lease(directory / name).acquire()
    assert list((shared / "mine" if link else directory).iterdir()) == []


@as_root
def test_another_user_with_the_same_setting_is_told_so_and_breaks_nothing(
    directory: Path, sink: MemorySink
) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("ours"))

    def told() -> str:
        with pytest.raises(JournalError) as caught:
            journal.Journal(directory, "shop").write(line("theirs"))
        return str(caught.value)

    assert "belongs to user 0, not to 65534; set Z4J['JOURNAL_DIR']" in as_nobody(told)
    assert ship(directory, sink)
    assert sink.ids == ["ours"]


def test_the_default_directory_lies_where_others_cannot_replace_it() -> None:
    parent = wiring.journal_directory().parent
    assert parent.is_dir()
    assert parent.stat().st_mode & stat.S_ISVTX


@as_root
def test_each_user_has_a_default_directory_of_its_own() -> None:
    ours, theirs = wiring.journal_directory(), as_nobody(lambda: str(wiring.journal_directory()))
    assert ours != Path(theirs)
    assert "z4j-65534-" in theirs
