"""Values without bounds, values that lie in wait, and more segments than can be open."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.utils.functional import SimpleLazyObject

from tests.sinks import MemorySink
from z4j_django.agent import encoding, events, failures, journal, shipper, task_signals

MEGABYTE = 1024 * 1024
#: What recording a value may take for itself, whatever its size.
ROOM = MEGABYTE


class Kept:
    """Keeps what was captured, and would rather raise than lose any of it."""

    def __init__(self) -> None:
        self.events: list[events.TaskEvent] = []

    def wants_events(self) -> bool:
        return True

    def record(self, event: events.Event) -> None:
        assert isinstance(event, events.TaskEvent)
        self.events.append(event)

    def lost(self, error: Exception) -> None:
        raise error


def _touch(name: str) -> None:
    """Take note that our code made ``name`` run; what Celery does is its own affair."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("z4j_django."):
            Trap.touched.append(name)
            return
        frame = frame.f_back  # type: ignore[assignment]  # None at the end


class Trap:
    """Takes note of each piece of its code that runs."""

    touched: list[str] = []  # noqa: RUF012  # of the class, as a trap is not asked for anything

    def __getattribute__(self, name: str) -> Any:
        _touch(name)
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        _touch("repr")
        return "a trap"

    def __len__(self) -> int:
        _touch("len")
        return 1

    def __iter__(self) -> Iterator[Any]:
        _touch("iter")
        return iter(())

    def __eq__(self, other: object) -> bool:
        _touch("eq")
        return self is other

    def __hash__(self) -> int:
        _touch("hash")
        return 1


class ListOfTraps(list[Any]):
    """A list whose own methods lie in wait."""

    def __iter__(self) -> Iterator[Any]:
        _touch("iter of a list")
        return super().__iter__()

    def __len__(self) -> int:
        _touch("len of a list")
        return super().__len__()


@pytest.fixture(autouse=True)
def _nothing_is_touched() -> Iterator[None]:
    Trap.touched.clear()
    yield
    assert Trap.touched == []


def extra_memory(work: Callable[[], Any]) -> int:
    """The most bytes that ``work`` had for itself at one moment."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


LARGE = {
    "a text of 100 MB": lambda: "x" * (100 * MEGABYTE),
    "bytes of 100 MB": lambda: b"x" * (100 * MEGABYTE),
    "ten million items": lambda: [0] * 10_000_000,
    "ten million items in a tuple": lambda: (None,) * 10_000_000,
    "a million keys": lambda: dict.fromkeys(range(1_000_000), "x"),
    "a million texts as keys": lambda: {str(n): n for n in range(1_000_000)},
    "a key of 100 MB": lambda: {"x" * (100 * MEGABYTE): 1},
    "an integer of a million digits": lambda: 1 << 3_500_000,
    "a thousand levels": lambda: _nested(1_000),
}


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("what", LARGE)
def test_a_large_value_takes_little_memory_and_little_room(what: str) -> None:
    value = LARGE[what]()
    kept: list[Any] = []
    used = extra_memory(lambda: kept.extend(encoding.encode_value([value])))
    assert used < ROOM
    assert len(kept[0]) < 4 * encoding.CHARACTERS
    assert not kept[1]


def test_a_decimal_of_a_million_digits_is_not_printed() -> None:
    raw, whole = encoding.encode_value([Decimal("1" * 1_000_000), Decimal("0.10")])
    assert (json.loads(bytes(raw)), whole) == (["<decimal.Decimal>", "0.10"], False)


def test_no_more_of_a_list_is_looked_at_than_the_budget_allows() -> None:
    kinds = (type(f"Item{number}", (), {}) for number in range(encoding.NODES + 1))
    items = [kind() for kind in kinds] * 500  # which of them were looked at, their names tell
    shown = json.loads(bytes(encoding.encode_value(items)[0]))
    assert len(shown) <= encoding.NODES
    assert shown[-1] == f"… ({len(items):,} items)"


def test_no_code_of_a_value_runs_wherever_it_lies() -> None:
    trap = Trap()
    value = [trap, {"deep": [trap, (trap,)]}, ListOfTraps([trap])]
    name = f"<{__name__}.Trap>"
    expected = [name, {"deep": [name, [name]]}, [name]]
    assert json.loads(bytes(encoding.encode_value(value)[0])) == expected


def test_a_lazy_object_stays_lazy() -> None:
    def query() -> None:
        _touch("a query")

    raw, whole = encoding.encode_value({"user": SimpleLazyObject(query)})
    assert not whole
    assert json.loads(bytes(raw)) == {"user": "<django.utils.functional.SimpleLazyObject>"}


def test_an_exception_with_a_large_or_unprintable_message_is_cut() -> None:
    large = ValueError("x" * (100 * MEGABYTE))
    found: list[events.Failure] = []
    assert extra_memory(lambda: found.append(failures.describe(large, None))) < ROOM
    assert len(found[0].message) == failures.MESSAGE
    assert failures.describe(ValueError(Trap()), None).message == ""


@pytest.fixture
def kept() -> Iterator[Kept]:
    recorder = Kept()
    handlers = task_signals.TaskSignals(recorder)
    handlers.connect()
    yield recorder
    handlers.disconnect()


@pytest.fixture
def app() -> Celery:
    made = Celery("bounds", broker="memory://", set_as_current=False)
    made.conf.task_ignore_result = True

    @made.task(name="keep", shared=False)
    def keep(value: object) -> object:
        return value

    return made


def test_a_task_that_takes_and_returns_what_lies_in_wait_is_recorded(
    app: Celery, kept: Kept
) -> None:
    """Applied in place: between two processes the serializer would run it first."""
    app.tasks["keep"].apply(args=(Trap(),))
    started, succeeded = kept.events
    assert started.message is not None
    assert json.loads(bytes(started.message.args)) == [f"<{__name__}.Trap>"]
    assert json.loads(bytes(succeeded.result)) == f"<{__name__}.Trap>"


def test_publishing_a_large_argument_records_a_small_event(app: Celery, kept: Kept) -> None:
    task = app.tasks["keep"]
    task.apply_async(args=("x" * (20 * MEGABYTE),))
    task.apply_async(args=([0] * 1_000_000,))
    sizes = [len(events.encode(event)) for event in kept.events]
    assert [event.kind for event in kept.events] == [events.TASK_SENT] * 2
    assert max(sizes) < 64 * 1024


def _line(task_id: str) -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0))


def _open_files(directory: Path) -> int:
    """The segments that this process has open for reading."""
    links = Path("/proc/self/fdinfo")
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            about = (links / descriptor.name).read_text()
            path = descriptor.readlink()
        except FileNotFoundError:
            continue  # that of this very loop
        flags = int(about.partition("flags:")[2].split()[0], 8)
        found += path.parent == directory and flags & os.O_ACCMODE == os.O_RDONLY
    return found


def test_more_segments_than_can_be_open_are_shipped_by_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "OPEN", 8)
    directory = tmp_path / "journal"
    living = [journal.Journal(directory, "shop") for _ in range(30)]
    sink = MemorySink()
    ship = shipper.Shipper(directory, sink)
    expected = []
    for word in ("first", "second", "third"):
        for number, writer in enumerate(living):
            writer.write(_line(f"{word} {number}"))
            dead = journal.Journal(directory, "shop")
            dead.write(_line(f"{word} of the dead {number}"))
            dead.close()
            expected += [f"{word} {number}", f"{word} of the dead {number}"]
        assert ship.drain(10.0)
        assert sorted(sink.ids) == sorted(expected)
        assert len(journal.segments(directory)) == len(living)
        assert _open_files(directory) <= 8
    ship.close()
    assert sink.status is not None
    assert (sink.status.segments, sink.status.pending) == (len(living), 0)
