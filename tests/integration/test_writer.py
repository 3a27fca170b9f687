"""The store, on the database of the settings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.histories import lives
from z4j_django import states
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.agent.sink import Status
from z4j_django.exceptions import UnstorableError
from z4j_django.models import (
    GroupRecord,
    JournalCursor,
    JournalLoss,
    JournalRecord,
    TaskEvent,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.queries import liveness
from z4j_django.store import sql
from z4j_django.store.folding import Fold
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = events.Header(schema=1, project="shop", host="h", pid=7)
_names = itertools.count()


def part(
    found: Sequence[events.Event], segment: str | None = None, begin: int = 0, data: bytes = b""
) -> Slice:
    data = data or b"".join(map(events.encode, found))
    return Slice(segment or f"s{next(_names)}", HEADER, begin, begin + len(data), data)


def store(*found: events.Event) -> None:
    DatabaseSink().apply([part(found)])


def event(kind: str, at: float, task_id: str = "a", **fields: Any) -> events.TaskEvent:
    return events.TaskEvent(kind=kind, task_id=task_id, at=at, **fields)


def rows() -> list[dict[str, Any]]:
    """All merged rows, as values that can be compared."""
    tasks = TaskRecord.objects.order_by("task_id").values()
    groups = GroupRecord.objects.order_by("group_id").values()
    return [{key: value for key, value in row.items() if key != "id"} for row in [*tasks, *groups]]


def clear() -> None:
    for model in (TaskRecord, TaskEvent, GroupRecord, WorkerRecord, JournalCursor):
        model.objects.all().delete()


def test_a_run_becomes_a_record() -> None:
    message = events.Message(
        name="shop.charge",
        queue="mail",
        priority=3,
        eta="2027-01-16T00:00:00+00:00",
        args=msgspec.Raw(b'["o-1", 7]'),
        kwargs=msgspec.Raw(b'{"user_id":42,"note":"caf\xc3\xa9 \xf0\x9f\x9b\x92"}'),
        complete=True,
        schedule="nightly",
        origin="gen1@h",
    )
    store(
        event(events.TASK_SENT, 1_800_000_000.125, message=message),
        event(events.TASK_RECEIVED, 1_800_000_001.25, worker="w@h"),
        event(events.TASK_STARTED, 1_800_000_002.5, worker="w@h"),
        event(
            events.TASK_SUCCEEDED,
            1_800_000_003.75,
            worker="w@h",
            runtime=1.25,
            result=msgspec.Raw(b'{"total":[1,null]}'),
        ),
    )
    record = TaskRecord.objects.get(task_id="a")
    assert (record.name, record.queue, record.priority) == ("shop.charge", "mail", 3)
    assert (record.state, record.worker, record.pid) == (states.SUCCESS, "w@h", 7)
    assert record.args == ["o-1", 7]
    assert record.kwargs == {"user_id": 42, "note": "café 🛒"}
    assert record.result == {"total": [1, None]}
    assert (record.runtime, record.deliveries, record.retries) == (1.25, 1, 0)
    moments = [record.sent_at, record.received_at, record.started_at, record.finished_at]
    assert [moment.timestamp() - 1_800_000_000 for moment in moments] == [0.125, 1.25, 2.5, 3.75]
    assert record.eta is not None
    assert record.eta.isoformat() == "2027-01-16T00:00:00+00:00"
    assert (record.schedule, record.origin, record.project) == ("nightly", "gen1@h", "shop")
    kinds = TaskEvent.objects.filter(task_id="a").order_by("at").values_list("kind", flat=True)
    assert list(kinds) == ["task_sent", "task_received", "task_started", "task_succeeded"]


def test_a_result_of_none_is_told_from_no_result() -> None:
    store(event(events.TASK_SUCCEEDED, 1.0))
    store(event(events.TASK_STARTED, 1.0, task_id="b"))
    assert (
        TaskRecord.objects.filter(result__isnull=True).values_list("task_id", flat=True)[0] == "b"
    )
    assert TaskRecord.objects.get(task_id="a").result is None


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_however_a_life_is_split_into_batches_the_rows_are_the_same(data: st.DataObject) -> None:
    life = data.draw(st.permutations(data.draw(lives())))
    clear()
    store(*life)
    expected = rows()
    clear()
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(life) - 1, 1)), max_size=4)))
    for begin, end in itertools.pairwise([0, *cuts, len(life)]):
        store(*life[begin:end])
    assert rows() == expected


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lives())
def test_the_database_merges_as_the_fold_does(life: list[events.TaskEvent]) -> None:
    clear()
    for each in life:
        store(each)
    fold = Fold()
    fold.add(life, HEADER)
    for row in fold.tasks.values():
        record = TaskRecord.objects.get(task_id=row.task_id)
        for name in ("state", "retries", "worker", "queue", "attempt", "state_order", "deliveries"):
            assert getattr(record, name) == getattr(row, name), name
        assert (record.facts_order, record.group_id) == (row.facts_order, row.group_id)


def test_a_batch_that_was_stored_is_not_stored_again() -> None:
    sink = DatabaseSink()
    batch = [part([event(events.TASK_RECEIVED, 1.0)], segment="s")]
    first = sink.apply(batch)
    assert sink.apply(batch) == first == sink.positions(["s"])
    assert TaskRecord.objects.get().deliveries == 1
    assert TaskEvent.objects.count() == 1


def test_of_a_batch_only_the_segments_that_stand_where_it_begins_count() -> None:
    sink = DatabaseSink()
    known = part([event(events.TASK_RECEIVED, 1.0)], segment="known")
    sink.apply([known])
    fresh = part([event(events.TASK_RECEIVED, 1.0, task_id="b")], segment="fresh")
    gap = part([event(events.TASK_RECEIVED, 1.0, task_id="c")], segment="gap", begin=99)
    positions = sink.apply([known, fresh, gap])
    assert positions == {"known": known.end, "fresh": fresh.end, "gap": 0}
    assert set(TaskRecord.objects.values_list("task_id", "deliveries")) == {("a", 1), ("b", 1)}


def test_a_failure_in_the_middle_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = DatabaseSink()

    def fail(*args: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(DatabaseSink, "_move_cursors", fail)
    with pytest.raises(RuntimeError):
        sink.apply([part([event(events.TASK_SENT, 1.0)], segment="s")])
    monkeypatch.undo()
    assert not TaskRecord.objects.exists()
    assert sink.positions(["s"]) == {}


def test_unreadable_events_are_counted_on_the_cursor() -> None:
    line = events.encode(event(events.TASK_SENT, 1.0))
    DatabaseSink().apply([part([], segment="s", data=line + b"torn\n" + line)])
    cursor = JournalCursor.objects.get(segment="s")
    assert (cursor.skipped, cursor.offset) == (1, 2 * len(line) + 5)


def test_ids_that_differ_in_case_alone_are_two_tasks() -> None:
    store(event(events.TASK_SENT, 1.0, task_id="A1"), event(events.TASK_SENT, 1.0, task_id="a1"))
    assert TaskRecord.objects.count() == 2


def test_hostile_text_is_stored_as_text() -> None:
    nasty = "'; DROP TABLE x; --\x00{}[],\"\\%s%(a)s🛒" + "x" * 500
    message = events.Message(
        name=nasty,
        queue=nasty,
        args=msgspec.Raw(msgspec.json.encode([nasty])),
        kwargs=msgspec.Raw(msgspec.json.encode({nasty[:50]: nasty})),
        complete=True,
        params=(nasty,),
        group_id=nasty,
        group_index=0,
        chord=events.Step(nasty, nasty),
    )
    failure = events.Failure(nasty, nasty, nasty)
    store(
        event(events.TASK_SENT, 1.0, message=message, task_id=nasty),
        event(events.TASK_FAILED, 2.0, task_id=nasty, failure=failure, worker=nasty, detail=nasty),
        events.WorkerEvent(events.WORKER_ONLINE, nasty, 1.0, nasty, 1, [nasty], nasty),
    )
    record = TaskRecord.objects.get(state=states.FAILURE)
    assert record.name.startswith("'; DROP TABLE x; --�{}[],\"\\%s%(a)s🛒")
    assert record.exception_message.startswith("'; DROP TABLE x; --�")
    assert WorkerRecord.objects.get().online


@pytest.mark.parametrize("year", [1001, 1969, 2150, 9998])
def test_a_moment_of_any_year_comes_back_as_it_was(year: int) -> None:
    moment = datetime(year, 7, 20, 20, 17, 40, tzinfo=UTC)
    message = events.Message(eta=moment.isoformat(), expires=moment.isoformat())
    store(event(events.TASK_RECEIVED, moment.timestamp(), message=message))
    record = TaskRecord.objects.get()
    found = {record.eta, record.expires, record.received_at, TaskEvent.objects.get().at}
    assert found == {moment}


def test_a_batch_takes_a_fixed_number_of_statements() -> None:
    sink = DatabaseSink()
    sink.apply([part([event(events.TASK_SENT, 1.0)])])
    counts = []
    for size in (10, 200):
        found = [event(events.TASK_SENT, 1.0, task_id=f"{size}-{n}") for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            sink.apply([part(found)])
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10


def test_workers_are_merged() -> None:
    store(events.WorkerEvent(events.WORKER_OFFLINE, "w@h", 21.0))
    store(events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, "prefork", 2, ["mail"], "5.7"))
    store(events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", 11.0))
    worker = WorkerRecord.objects.get(hostname="w@h")
    assert (worker.online, worker.pool, worker.concurrency) == (False, "prefork", 2)
    assert (worker.queues, worker.version) == (["mail"], "5.7")
    moments = (worker.started_at, worker.last_seen, worker.stopped_at)
    assert [moment and moment.timestamp() for moment in moments] == [1.0, 11.0, 21.0]
    store(events.WorkerEvent(events.WORKER_ONLINE, "w@h", 31.0, "threads", 4, [], "5.8"))
    worker.refresh_from_db()
    assert (worker.online, worker.pool, worker.version) == (True, "threads", "5.8")


def test_a_worker_is_heard_of_by_its_tasks() -> None:
    store(event(events.TASK_RECEIVED, 5.0, worker="w@h"))
    worker = WorkerRecord.objects.get(hostname="w@h")
    assert worker.online
    store(events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, "prefork"))
    store(event(events.TASK_SUCCEEDED, 300.0, worker="w@h"))
    worker.refresh_from_db()
    assert (worker.online, worker.pool) == (True, "prefork")
    now = datetime.fromtimestamp(301.0, UTC)
    assert liveness.presence(worker, now) == "online"
    store(events.WorkerEvent(events.WORKER_OFFLINE, "w@h", 299.0))
    store(event(events.TASK_SUCCEEDED, 300.5, worker="w@h"))
    worker.refresh_from_db()
    assert liveness.presence(worker, now) == "offline"


def test_the_timeline_can_be_left_out() -> None:
    DatabaseSink(timeline=False).apply([part([event(events.TASK_SENT, 1.0)])])
    assert TaskRecord.objects.count() == 1
    assert not TaskEvent.objects.exists()


def test_losses_are_on_record_once() -> None:
    sink = DatabaseSink()
    batch = [part([events.LossEvent(events.OVER_CAP, 7, 1.0, "segment")], segment="s")]
    sink.apply(batch)
    sink.apply(batch)
    loss = JournalLoss.objects.get()
    assert (loss.project, loss.host, loss.reason, loss.count) == ("shop", "h", "over the cap", 7)


def test_a_journals_newest_report_stands() -> None:
    sink = DatabaseSink()
    for pending, oldest in ((500, 1.0), (0, None)):
        sink.report(Status("h", "/var/tmp/j", 7, 2.0, 3, 900, pending, oldest))
    record = JournalRecord.objects.get()
    assert (record.host, record.segments, record.size, record.pending) == ("h", 3, 900, 0)
    assert record.oldest is None
    assert record.seen_at.timestamp() == 2.0


def test_what_the_database_can_never_take_is_told_from_what_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = DatabaseSink()
    for error, told in ((DataError("bad"), UnstorableError), (OperationalError("away"), None)):

        def fail(*args: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(DatabaseSink, "_store", fail)
        with pytest.raises(told or OperationalError):
            sink.apply([part([event(events.TASK_SENT, 1.0)])])


def test_a_column_that_a_newer_version_added_is_no_fault_of_the_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = {name: rule for name, rule in sql.TASKS.rules.items() if name != "deliveries"}
    monkeypatch.setattr(sql, "TASKS", sql.Merge(sql.TASKS.key, rules))
    with pytest.raises((IntegrityError, OperationalError)):  # which the shipper tries again
        store(event(events.TASK_SENT, 1.0))
    assert not JournalCursor.objects.exists()


@override_settings(DEBUG=True)
def test_under_debug_nothing_of_what_is_stored_stays_in_memory() -> None:
    store(event(events.TASK_SENT, 1.0))
    assert not connection.queries_log


def test_a_segment_that_another_shipper_moved_meanwhile_is_left_alone() -> None:
    sink = DatabaseSink()
    first = part([event(events.TASK_RECEIVED, 1.0)], segment="s")
    both = part([], segment="s", data=first.data + events.encode(event(events.TASK_STARTED, 2.0)))
    sink.apply([first])
    assert sink.apply([both]) == {"s": first.end}
    assert TaskRecord.objects.get().state == states.RECEIVED
