"""What a sink does not take, and what of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.sinks import MemorySink
from z4j_django.agent import events, journal, shipper

SAD = "no \N{CRAB} today"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def writer(directory: Path) -> Iterator[journal.Journal]:
    made = journal.Journal(directory, "shop")
    yield made
    made.close()


def end(task_id: str, text: str) -> events.TaskEvent:
    failure = events.Failure("ValueError", text, f"Traceback\nValueError: {text}")
    return events.TaskEvent(
        events.TASK_FAILED, task_id, 7.0, worker="w@h", runtime=1.5, failure=failure, detail=text
    )


def write_twenty(writer: journal.Journal) -> None:
    for number in range(20):
        writer.write(events.encode(end(str(number), SAD if number in {0, 7, 19} else "no")))


def test_an_event_that_is_refused_for_its_text_is_kept_without_it(
    directory: Path, writer: journal.Journal
) -> None:
    sink = MemorySink()
    sink.poison = "\N{CRAB}".encode()
    write_twenty(writer)
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert sink.ids == [str(number) for number in range(20)]
    assert sink.events[7] == msgspec.structs.replace(
        end("7", "…"), failure=events.Failure("ValueError", events.REFUSED), detail=events.REFUSED
    )
    assert (directory / shipper.DEAD).read_text().count(SAD) >= 3


def test_a_batch_that_keeps_failing_while_the_store_is_well_is_halved(
    directory: Path, writer: journal.Journal
) -> None:
    sink = MemorySink()
    sink.odd = "\N{CRAB}".encode()
    write_twenty(writer)
    ship = shipper.Shipper(directory, sink)
    waits = [ship.step() for _ in range(shipper.PATIENCE)]
    assert waits[0] == shipper.BACKOFF[0]
    assert sink.events == []
    ship.step()
    assert sink.ids == [str(number) for number in range(20)]


def test_in_an_outage_nothing_is_set_aside_however_long_it_lasts(
    directory: Path, writer: journal.Journal
) -> None:
    sink = MemorySink()
    sink.failing = ConnectionError("away")
    write_twenty(writer)
    ship = shipper.Shipper(directory, sink)
    for _ in range(3 * shipper.PATIENCE):
        ship.step()
    assert not (directory / shipper.DEAD).exists()
    sink.failing = None
    assert ship.drain(5.0)
    assert sink.events == [end(str(n), SAD if n in {0, 7, 19} else "no") for n in range(20)]


def test_what_is_refused_without_any_text_too_waits(
    directory: Path, writer: journal.Journal
) -> None:
    """It is no fault of the event's: everything would be set aside."""
    sink = MemorySink()
    sink.odd = b"task_failed"
    write_twenty(writer)
    ship = shipper.Shipper(directory, sink)
    for _ in range(3 * shipper.PATIENCE):
        ship.step()
    assert sink.events == []
    assert not (directory / shipper.DEAD).exists()


def test_a_bare_event_tells_what_happened_to_what_and_when() -> None:
    step = events.Step("caf\xe9")
    whole = events.TaskEvent(
        events.TASK_SUCCEEDED, "caf\xe9", 7.0, retries=2, worker="w@h", sent_at=6.0, runtime=0.5,
        message=events.Message(
            name="shop.add", queue="caf\xe9", group_id="g", group_index=1, operation=7,
            args=msgspec.Raw(b'["\\ud83e\\udd80"]'), kwargs=msgspec.Raw(b"{}"), complete=True,
            chord=step, chain=[step], origin="caf\xe9",
        ),
        original=events.Original(3, b"abc"), result=msgspec.Raw(b'"caf\xc3\xa9"'),
    )  # fmt: skip
    bare = events.bared(whole)
    assert bare == events.TaskEvent(
        events.TASK_SUCCEEDED, "caf?", 7.0, retries=2, worker="w@h", sent_at=6.0, runtime=0.5,
        message=events.Message(
            name="shop.add", queue="caf?", group_id="g", group_index=1, operation=7,
            args=msgspec.Raw(msgspec.json.encode([events.REFUSED])),
        ),
        result=msgspec.Raw(msgspec.json.encode(events.REFUSED)),
    )  # fmt: skip
    assert events.decode(events.encode(bare)) == ([bare], 0)
    sampled = events.SampledEvent("caf\xe9", 7.0)
    assert events.bared(sampled) == events.SampledEvent("caf?", 7.0)
    assert events.decode(events.encode(sampled)) == ([sampled], 0)
    online = events.WorkerEvent(events.WORKER_ONLINE, "caf\xe9", 1.0, "\N{CRAB}", 2, ["\N{CRAB}"])
    assert events.bared(online) == events.WorkerEvent(
        events.WORKER_ONLINE, "caf?", 1.0, concurrency=2
    )
