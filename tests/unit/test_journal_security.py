"""Nobody but the journal's user reads it, writes to it, or has it written elsewhere."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import shutil
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sinks import MemorySink
from z4j_django import checks, wiring
from z4j_django.agent import bootstrap, events, inspection, journal, leases, shipper
from z4j_django.exceptions import JournalError, SegmentError

#: The user and group "nobody", on every Linux.
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
LOCKS = ("lease.lock", "process.lock")


def line(task_id: str) -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0))


def as_nobody(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a child process of the user "nobody": plain data."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = {"value": work()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(write_end, json.dumps(answer).encode())
        os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as answers:
        answer = json.loads(answers.read())
    os.waitpid(pid, 0)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def refused(work: Callable[[], Any]) -> str:
    """The name of the error that ``work`` ends with; empty where it was allowed."""
    try:
        work()
    except OSError as error:
        return type(error).__name__
    return ""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory in which everyone may make files, as /tmp is one."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def directory(shared: Path) -> Path:
    return shared / "journal"


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def ship(directory: Path, sink: MemorySink, seconds: float = 5.0) -> bool:
    """Ship all that is there; whether nothing is left."""
    ships = shipper.Shipper(directory, sink)
    try:
        return ships.drain(seconds)
    finally:
        ships.close()


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


@as_root
class TestTakenDirectories:
    """Another user has taken the default directory, or takes it while we run."""

    @pytest.fixture(autouse=True)
    def _places(self, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wiring, "JOURNALS", str(shared))
        monkeypatch.setenv("XDG_STATE_HOME", str(shared / "state"))

    @pytest.fixture
    def second(self, shared: Path) -> Path:
        return shared / "state" / wiring.journal_directory().name

    @staticmethod
    def take(path: Path) -> None:
        as_nobody(lambda: path.mkdir(mode=0o777))

    def test_the_journal_lies_in_the_users_state_and_says_so(
        self, second: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        usual = wiring.journal_directory()
        self.take(usual)
        find = wiring.agent_config().find_directory
        assert find() == find() == second
        assert caplog.messages == [f"{usual} is user {NOBODY}'s: the journal lies in {second}."]
        [said] = checks.check_journal()
        assert (said.id, said.msg) == (
            "z4j_django.W008",
            f"The journal lies in {second}: {usual} is user {NOBODY}'s.",
        )
        before = os.umask(0)
        try:
            journal.Journal(find(), "shop").write(line("a"))
        finally:
            os.umask(before)
        for path in (second, second.parent):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700

    def test_it_stays_there_when_the_other_has_gone(self, second: Path) -> None:
        usual = wiring.journal_directory()
        self.take(usual)
        journal.Journal(wiring.journal_directory(), "shop").write(line("a"))
        usual.rmdir()
        assert wiring.journal_directory() == second
        assert checks.check_journal() == []

    def test_a_process_that_runs_goes_on_there_and_takes_along_what_it_wrote(
        self, second: Path, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "CHECK_EVERY", 0.0)
        config = dataclasses.replace(wiring.agent_config(), shipping="external", under_tests=True)
        agent = bootstrap.Agent(config)
        note = [events.TaskEvent(kind=events.TASK_SENT, task_id=name, at=1.0) for name in "ab"]
        agent.note(note[0])
        usual = wiring.journal_directory()
        shutil.rmtree(usual)
        self.take(usual)
        agent.note(note[1])
        agent._on_exit()
        assert list(usual.iterdir()) == []
        assert ship(second, sink)
        assert sink.ids == ["a", "b"]
        assert not sink.losses

    def test_a_setting_is_obeyed_all_the_same(self, shared: Path, settings: Any) -> None:
        self.take(wiring.journal_directory())
        settings.Z4J = {"JOURNAL_DIR": str(shared / "ours")}
        assert wiring.journal_directory() == shared / "ours"

    def test_without_the_variable_it_is_in_the_home_of_the_user_database(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
        monkeypatch.setenv("HOME", "/nowhere")
        home = pwd.getpwuid(os.geteuid()).pw_dir
        usual = wiring.journal_directory()
        self.take(usual)
        assert wiring.journal_directory() == Path(home) / ".local/state" / usual.name
