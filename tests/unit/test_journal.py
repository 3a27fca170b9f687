"""Segments, their locks, and the lease."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from z4j_django.agent import events, journal, leases
from z4j_django.exceptions import JournalError, SegmentError


def line(task_id: str = "a") -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0))


def in_child(work: object) -> int:
    """Run ``work`` in a forked child; its return value is the exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work() or 0  # type: ignore[operator]
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_all(directory: Path) -> list[str]:
    ids: list[str] = []
    for path in journal.segments(directory):
        file = journal.SegmentFile(path)
        ids += [event.task_id for event in events.decode(file.read(1 << 20)[0])[0]]  # type: ignore[union-attr]
        file.close()
    return ids


def test_a_segment_says_who_writes_it(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line())
    [path] = journal.segments(directory)
    header = journal.SegmentFile(path).header
    assert (header.schema, header.project, header.pid) == (events.SCHEMA, "shop", os.getpid())


def test_nothing_is_made_before_the_first_event(directory: Path) -> None:
    journal.Journal(directory, "shop")
    assert not directory.exists()


def test_directory_and_segments_are_private(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line())
    assert directory.stat().st_mode & 0o777 == 0o700
    assert journal.segments(directory)[0].stat().st_mode & 0o777 == 0o600


def test_a_directory_open_to_others_is_refused_with_the_remedy(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    with pytest.raises(JournalError, match=r"open to other users \(755\); run: chmod 700"):
        journal.Journal(directory, "shop").write(line())


def test_a_link_is_not_followed(tmp_path: Path, directory: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="is not a directory"):
        journal.Journal(directory, "shop").write(line())


def test_another_users_directory_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(JournalError, match="belongs to user"):
        journal.Journal(directory, "shop").write(line())


def test_a_segment_rolls_at_its_size(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROLL_AT", 1_000)
    writer = journal.Journal(directory, "shop")
    for number in range(50):
        writer.write(line(str(number)))
    assert len(journal.segments(directory)) > 1
    assert read_all(directory) == [str(number) for number in range(50)]


def test_a_living_writers_segment_is_locked_and_a_closed_ones_is_not(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line())
    [path] = journal.segments(directory)
    reader = journal.SegmentFile(path)
    assert not reader.writer_is_dead()
    writer.close()
    assert reader.writer_is_dead()


def test_a_child_writes_to_a_segment_of_its_own(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("parent"))
    assert in_child(lambda: writer.write(line("child"))) == 0
    assert len(journal.segments(directory)) == 2
    assert read_all(directory) == ["parent", "child"]


def test_a_dead_childs_segment_is_free_while_the_parent_lives(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("parent"))
    in_child(lambda: writer.write(line("child")))
    parents, childs = (journal.SegmentFile(path) for path in journal.segments(directory))
    assert childs.writer_is_dead()
    assert not parents.writer_is_dead()


def test_a_childs_life_does_not_keep_the_parents_segment_locked(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("parent"))
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)  # until the parent has looked
        os._exit(0)
    os.close(read_end)
    reader = journal.SegmentFile(journal.segments(directory)[0])
    writer.close()
    try:
        deadline = 200
        while not reader.writer_is_dead() and deadline:  # the child lets go as it starts
            deadline -= 1
            os.sched_yield()
            threading.Event().wait(0.01)
        assert reader.writer_is_dead()
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)


def test_many_threads_write_whole_lines(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROLL_AT", 20_000)
    writer = journal.Journal(directory, "shop")

    def write(thread: int) -> None:
        for number in range(200):
            writer.write(line(f"{thread}-{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(f"{thread}-{number}" for thread in range(16) for number in range(200))
    assert sorted(read_all(directory)) == expected


@pytest.mark.parametrize("ends", [False, True])
def test_a_deleted_segment_is_written_anew_under_its_name(
    directory: Path, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECK_EVERY", 0.0)
    writer = journal.Journal(directory, "shop")
    writer.write(line("before"))
    [path] = journal.segments(directory)
    shutil.rmtree(directory)
    if ends:
        assert writer.close() == 0
    else:
        writer.write(line("after"))
        assert not journal.SegmentFile(path).writer_is_dead()
    assert read_all(directory) == (["before"] if ends else ["before", "after"])
    assert journal.segments(directory) == [path]


def test_many_threads_lose_nothing_of_a_deleted_segment(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("0"))
    begun = threading.Barrier(9)

    def write(thread: int) -> None:
        begun.wait()
        for number in range(300):
            writer.write(line(f"{thread}-{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    begun.wait()
    while any(thread.is_alive() for thread in threads):
        for path in journal.segments(directory):
            path.unlink(missing_ok=True)
    writer.close()
    expected = ["0", *(f"{thread}-{number}" for thread in range(8) for number in range(300))]
    assert sorted(read_all(directory)) == sorted(expected)


def test_what_can_not_be_written_anew_is_counted_at_the_end(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    for name in ("a", "b"):
        writer.write(line(name))
    shutil.rmtree(directory)
    directory.touch()
    writer.write(line("c"))
    assert writer.close() == 3


def test_what_can_not_be_written_anew_is_counted_when_the_segment_is_full(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROLL_AT", 200)
    writer = journal.Journal(directory, "shop")
    writer.write(line("a"))
    shutil.rmtree(directory)
    directory.touch()
    with pytest.raises(journal.GoneError) as caught:
        writer.write(line("b" * 200))
    assert caught.value.count == 2
    assert writer.close() == 0


def test_after_a_torn_write_the_next_event_begins_a_line(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("first"))
    whole_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole_write(fd, data[:10]))
    with pytest.raises(OSError, match="no room for an event"):
        writer.write(line("torn"))
    monkeypatch.setattr(os, "write", whole_write)
    writer.write(line("last"))
    assert read_all(directory) == ["first", "last"]


def test_a_reader_takes_whole_lines_only(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("a"))
    [path] = journal.segments(directory)
    with path.open("ab") as file:
        file.write(b'{"of":"ta')
    data, end = journal.SegmentFile(path).read(1 << 20)
    assert data == line("a")
    assert end == path.stat().st_size - 9


def test_a_line_longer_than_the_limit_is_read_whole(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(line("x" * 5_000))
    data, _ = journal.SegmentFile(journal.segments(directory)[0]).read(100)
    assert data == line("x" * 5_000)


def test_a_file_without_a_header_is_no_segment(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    path = directory / ("1" + journal.SUFFIX)
    path.write_bytes(b"nonsense\n")
    with pytest.raises(SegmentError, match="no readable header"):
        journal.SegmentFile(path)


def test_one_process_holds_a_lease(directory: Path) -> None:
    first, second = (leases.Lease(directory / "lease.lock") for _ in range(2))
    assert first.acquire()
    assert not second.acquire()
    assert not second.is_free()
    first.release()
    assert second.is_free()
    assert second.acquire()


def test_a_forked_child_does_not_hold_its_parents_lease(directory: Path) -> None:
    lease = leases.Lease(directory / "lease.lock")
    assert lease.acquire()
    assert in_child(lambda: int(lease.held)) == 0
    assert lease.held
    lease.release()
    assert lease.is_free()


def test_a_header_that_the_disk_takes_in_part_leaves_no_segment(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BIRTH_EVERY", 0.0)
    writer = journal.Journal(directory, "shop")
    whole_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole_write(fd, data[:10]))
    with pytest.raises(OSError, match="no room for a segment's header"):
        writer.write(line("a"))
    monkeypatch.setattr(os, "write", whole_write)
    assert list(directory.iterdir()) == []
    writer.write(line("b"))
    assert read_all(directory) == ["b"]


def test_an_unborn_segment_that_someone_holds_is_left_alone(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    held, left = (directory / (name + journal.UNBORN) for name in ("held", "left"))
    for path in (held, left):
        path.touch(mode=0o600)
        os.utime(path, (1.0, 1.0))
    with held.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        journal.delete_unborn(directory)
    assert [path.stem for path in directory.iterdir()] == ["held"]
