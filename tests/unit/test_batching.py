"""What goes into a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from z4j_django.agent import batching, events, journal

MEGABYTE = 1024 * 1024


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def opened(directory: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def line(task_id: str, at: float, detail: str = "") -> bytes:
    return events.encode(events.TaskEvent(events.TASK_SENT, task_id, at, detail=detail))


def segments(directory: Path, opened: ExitStack) -> list[journal.SegmentFile]:
    files = [journal.SegmentFile(path) for path in journal.segments(directory)]
    for file in files:
        opened.callback(file.close)
    return files


def ids(batch: list[batching.Slice]) -> list[str]:
    return [event.task_id for part in batch for event in events.decode(part.data)[0]]


def test_the_events_of_one_task_come_in_one_batch_however_long_each_writers_lines_are(
    directory: Path, opened: ExitStack
) -> None:
    writers = [journal.Journal(directory, "shop") for _ in range(3)]
    for number in range(600):
        for place, writer in enumerate(writers):
            writer.write(line(str(number), number + place / 10, detail="x" * 150 * place))
    files, batches = segments(directory, opened), []
    while batch := batching.read(files, 60_000, 500):
        batches.append(Counter(ids(batch)))
    assert len(batches) > 5
    whole = sum(count == 3 for found in batches for count in found.values())
    assert whole > 500
    assert sum(batches, Counter()) == Counter({str(number): 3 for number in range(600)})


def test_an_old_segment_is_read_before_a_new_one(directory: Path, opened: ExitStack) -> None:
    late, early = (journal.Journal(directory, "shop") for _ in range(2))
    for number in range(50):
        late.write(line(f"late-{number}", 5000.0 + number))
        early.write(line(f"early-{number}", 1000.0 + number))
    files = segments(directory, opened)
    assert all(each.startswith("early") for each in ids(batching.read(files, 2_000, 200)))


def test_a_batch_is_bounded(directory: Path, opened: ExitStack) -> None:
    writer = journal.Journal(directory, "shop")
    for number in range(100):
        writer.write(line(str(number), 2.0))
    [part] = batching.read(segments(directory, opened), 1_000, 200)
    assert 0 < len(part.data) <= 1_000 + len(line("99", 2.0))


def test_a_line_longer_than_a_batch_is_read_all_the_same(
    directory: Path, opened: ExitStack
) -> None:
    journal.Journal(directory, "shop").write(line("long", 1.0, "x" * MEGABYTE))
    assert ids(batching.read(segments(directory, opened), 1_000, 200)) == ["long"]


def test_slices_follow_each_other_without_a_gap(directory: Path, opened: ExitStack) -> None:
    writer = journal.Journal(directory, "shop")
    for number in range(40):
        writer.write(line(str(number), 1.0))
    [file] = segments(directory, opened)
    end, data = 0, b""
    while batch := batching.read([file], 500, 100):
        [part] = batch
        assert part.begin == end
        end, data = part.end, data + part.data
    assert end == file.size
    assert data == b"".join(line(str(number), 1.0) for number in range(40))


def test_a_line_that_is_no_event_stops_nothing(directory: Path, opened: ExitStack) -> None:
    writer = journal.Journal(directory, "shop")
    writer.write(b"torn\n")
    writer.write(line("a", 1.0))
    writer.write(b"torn\n")
    [part] = batching.read(segments(directory, opened), MEGABYTE, 10)
    assert ids([part]) == ["a"]
    assert part.data.count(b"torn") == 2


def test_a_batch_is_halved_down_to_one_event() -> None:
    header = events.Header(schema=1, project="shop", host="h", pid=7)
    data = b"".join(line(str(number), 1.0) for number in range(3))
    first = batching.Slice("a", header, 0, len(data), data)
    second = batching.Slice("b", header, 50, 50 + len(data), data)
    pending, alone = [[first, second]], []
    while pending:
        batch = pending.pop(0)
        halves = batching.halves(batch)
        if halves is None:
            alone += batch
        else:
            pending += halves
    assert sorted((part.segment, ids([part])[0]) for part in alone) == [
        (segment, task_id) for segment in "ab" for task_id in "012"
    ]
    assert all(part.end - part.begin == len(part.data) for part in alone)
