"""What the store counts, and who adds it up."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.histories import lives
from z4j_django import histograms, retention_policy
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.counters import COUNTERS, EVER
from z4j_django.histograms import bucket_of
from z4j_django.models import (
    JournalCursor,
    Statistic,
    StatisticsDelta,
    StatisticsRoster,
    TaskEvent,
    TaskRecord,
)
from z4j_django.store import retention, roster, sql, statistics
from z4j_django.store.writer import DatabaseSink
from z4j_django.values import OTHER

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = events.Header(schema=1, project="shop", host="h", pid=7)
BEGIN = 1_700_000_040.0
MESSAGE = events.Message(name="shop.add", queue="mail")
_names = itertools.count()


def part(found: Sequence[events.Event], segment: str | None = None, begin: int = 0) -> Slice:
    data = b"".join(map(events.encode, found))
    return Slice(segment or f"s{next(_names)}", HEADER, begin, begin + len(data), data)


def store(*found: events.Event) -> None:
    DatabaseSink().apply([part(found)])


def event(kind: str, at: float, task_id: str = "a", **fields: Any) -> events.TaskEvent:
    fields = {"name": "shop.add", **fields}
    return events.TaskEvent(kind=kind, task_id=task_id, at=at, **fields)


def run(begin: float, task_id: str = "a", **fields: Any) -> list[events.TaskEvent]:
    return [
        event(events.TASK_SENT, begin, task_id, message=MESSAGE, **fields),
        event(events.TASK_RECEIVED, begin + 1, task_id, message=MESSAGE, sent_at=begin, **fields),
        event(events.TASK_STARTED, begin + 2, task_id, **fields),
        event(events.TASK_SUCCEEDED, begin + 5, task_id, runtime=3.0, **fields),
    ]


def counters(row: Statistic) -> dict[str, int]:
    return {name: count for name in COUNTERS if (count := getattr(row, name))}


def rows(**where: Any) -> dict[tuple[str, str, str, int], dict[str, int]]:
    found = Statistic.objects.filter(**where)
    return {(row.scope, row.name, row.queue, row.at): counters(row) for row in found}


def clear() -> None:
    models = (TaskRecord, TaskEvent, JournalCursor, Statistic, StatisticsDelta, StatisticsRoster)
    for model in models:
        model.objects.all().delete()


def of_the_timeline(step: int) -> dict[int, Counter[str]]:
    """The same by the events on record."""
    found: dict[int, Counter[str]] = {}
    for kind, at in TaskEvent.objects.values_list("kind", "at"):
        begin = int(at.timestamp() // step) * step
        name = kind.removeprefix("task_").replace("retry", "retried")
        found.setdefault(begin, Counter())[name] += 1
    return found


def test_a_run_counts_by_minute_hour_and_day_for_its_name_its_queue_and_all() -> None:
    store(*run(BEGIN))
    assert not Statistic.objects.exists()
    statistics.compact_all()
    once = {"sent": 1, "received": 1, "started": 1, "succeeded": 1}
    for step, at in ((60, 1_700_000_040), (3_600, 1_699_999_200), (86_400, 1_699_920_000)):
        assert rows(step=step) == {
            ("names", "shop.add", "mail", at): once,
            ("queues", "", "mail", at): once,
            ("all", "", "", at): once,
        }
    for row in Statistic.objects.all():
        assert histograms.unpacked(bytes(row.runs)) == {bucket_of(3.0): 1}
        assert histograms.unpacked(bytes(row.waits)) == {bucket_of(2.0): 1}
    assert not StatisticsDelta.objects.exists()


def test_what_comes_later_is_added() -> None:
    for number in range(3):
        store(*run(BEGIN + number, f"task-{number}"))
        statistics.compact_all()
    row = Statistic.objects.get(step=60, scope="names")
    assert counters(row) == {"sent": 3, "received": 3, "started": 3, "succeeded": 3}
    assert histograms.unpacked(bytes(row.runs)) == {bucket_of(3.0): 3}


def test_what_comes_very_late_counts_in_its_own_time() -> None:
    store(*run(BEGIN))
    statistics.compact_all()
    store(*run(BEGIN - 100 * 86_400, "late"))
    statistics.compact_all()
    assert rows(step=86_400, scope="all").keys() == {
        ("all", "", "", 1_699_920_000 - 100 * 86_400),
        ("all", "", "", 1_699_920_000),
    }


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_however_lives_are_split_replayed_and_added_up_the_counts_are_the_timelines(
    data: st.DataObject,
) -> None:
    clear()
    found = [*data.draw(lives("a")), *data.draw(lives("b"))]
    found = [event for event in data.draw(st.permutations(found)) if event.at < time.time()] or [
        *run(BEGIN)
    ]
    sink, segment, begin = DatabaseSink(), f"s{next(_names)}", 0
    batches: list[list[Slice]] = []
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(found) - 1, 1)), max_size=4)))
    for first, last in itertools.pairwise([0, *cuts, len(found)]):
        batches.append([part(found[first:last], segment, begin)])
        begin = batches[-1][0].end
    for batch in batches:
        sink.apply(batch)
        for again in data.draw(st.lists(st.sampled_from(batches), max_size=2)):
            if again[0].begin < batch[0].end:
                sink.apply(again)
        if data.draw(st.booleans()):
            statistics.compact()
    statistics.compact_all()
    for step in (60, 3_600, 86_400):
        expected = of_the_timeline(step)
        for scope in ("names", "queues", "all"):
            summed: dict[int, Counter[str]] = {}
            for row in Statistic.objects.filter(step=step, scope=scope):
                summed.setdefault(row.at, Counter()).update(counters(row))
            assert summed == expected, (step, scope)


def test_of_a_batch_only_the_segments_that_another_shipper_did_not_store_count() -> None:
    first, second = part(run(BEGIN), "one"), part(run(BEGIN, "b"), "two")
    DatabaseSink().apply([first])
    sink = DatabaseSink()
    sink.apply([first, second], sink.prepare([first, second]))
    statistics.compact_all()
    assert counters(Statistic.objects.get(step=60, scope="all"))["sent"] == 2


def test_a_start_and_an_end_take_from_the_record_what_they_do_not_carry() -> None:
    sent, received, start, end = run(BEGIN)
    store(sent, received)
    with CaptureQueriesContext(connection) as queries:
        store(start, end, event(events.TASK_STARTED, BEGIN + 3, "unheard of"))
    asked = [one["sql"] for one in queries if one["sql"].startswith("SELECT")]
    assert sum(bool(re.search(r"\beta\b", text)) for text in asked) == 1
    statistics.compact_all()
    minute = 1_700_000_040
    assert rows(step=60, scope="queues") == {
        ("queues", "", "", minute): {"started": 1},
        ("queues", "", "mail", minute): {"sent": 1, "received": 1, "started": 1, "succeeded": 1},
    }
    row = Statistic.objects.get(step=60, scope="queues", queue="mail")
    assert histograms.unpacked(bytes(row.waits)) == {bucket_of(2.0): 1}


def test_a_compactor_that_dies_in_the_middle_leaves_all_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store(*run(BEGIN))
    statistics.compact_all()
    before = rows()
    store(*run(BEGIN, "b"))
    with monkeypatch.context() as patched:

        def write_and_die(*args: Any) -> None:
            upsert(*args)
            raise KeyboardInterrupt

        upsert = sql.upsert
        patched.setattr(sql, "upsert", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            statistics.compact_all()
    assert rows() == before
    assert StatisticsDelta.objects.count() == 1
    statistics.compact_all()
    assert counters(Statistic.objects.get(step=60, scope="all"))["sent"] == 2


def test_names_without_end_count_under_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "NAMES", 2)
    for number in range(5):
        store(event(events.TASK_REVOKED, BEGIN, name=f"shop.{number}"))
        statistics.compact_all()
    found = rows(step=60, scope="names")
    assert {name: count["revoked"] for (_, name, _, _), count in found.items()} == {
        "shop.0": 1,
        "shop.1": 1,
        OTHER: 3,
    }


def test_projects_are_counted_apart() -> None:
    store(*run(BEGIN))
    bank = events.Header(schema=1, project="bank", host="h", pid=7)
    data = events.encode(event(events.TASK_REVOKED, BEGIN))
    DatabaseSink().apply([Slice("bank-1", bank, 0, len(data), data)])
    statistics.compact_all()
    assert rows(step=60, scope="all", project="bank") == {
        ("all", "", "", 1_700_000_040): {"revoked": 1}
    }
    assert StatisticsRoster.objects.count() == 2


def test_a_shipper_adds_up_every_few_seconds_while_there_is_something() -> None:
    moments = iter([0.0, 0.0, 0.01, 4.9, 5.1, 5.11, 19.0])
    compactor = statistics.Compactor(clock=lambda: next(moments))
    store(*run(BEGIN))
    compactor.step()
    assert Statistic.objects.exists()
    store(*run(BEGIN, "b"))
    compactor.is_wanted = True
    compactor.step()
    assert StatisticsDelta.objects.exists()
    compactor.step()
    assert not StatisticsDelta.objects.exists()
    with CaptureQueriesContext(connection) as queries:
        compactor.step()
    assert not queries


def test_many_deltas_take_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_BYTES", 100)
    for number in range(4):
        store(*run(BEGIN, f"task-{number}"))
    assert statistics.compact()
    assert 0 < StatisticsDelta.objects.count() < 4
    statistics.compact_all()
    assert counters(Statistic.objects.get(step=60, scope="all"))["sent"] == 4


def test_a_turn_takes_a_fixed_number_of_statements() -> None:
    counts = []
    for size in (1, 50):
        clear()
        for number in range(size):
            store(*run(BEGIN, f"task-{number}", name=f"shop.{number}"))
        statistics.compact()
        store(*run(BEGIN, "one more"))
        with CaptureQueriesContext(connection) as queries:
            statistics.compact()
        counts.append(sum("SAVEPOINT" not in one["sql"] for one in queries))
    assert counts[0] == counts[1]


def test_what_is_counted_by_short_steps_goes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = retention_policy.from_setting({})
    store(*run(BEGIN))
    statistics.compact_all()
    store(*run(BEGIN + 3 * 86_400, "three days later"))
    for days, left in ((3, {60: 1, 3_600: 2, 86_400: 2}), (92, {3_600: 1, 86_400: 2})):
        monkeypatch.setattr(retention.time, "time", lambda days=days: BEGIN + days * 86_400 + 60)
        *_, dry = retention.prune(policy, "shop", dry_run=True)
        *_, tally = retention.prune(policy, "shop")
        assert Counter(Statistic.objects.filter(scope="all").values_list("step", flat=True)) == left
        assert dry.others["statistics"] == tally.others["statistics"] > 0
    assert not StatisticsDelta.objects.exists()


class TestForAllTime:
    """What is counted so never falls, and is what the days say where they are all there."""

    def totals(self) -> dict[tuple[str, str], dict[str, int]]:
        return {(name, queue): counts for (_, name, queue, _), counts in rows(step=EVER).items()}

    def test_it_stays_when_the_days_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        policy = retention_policy.from_setting({"statistics_days": "100d"})
        store(*run(BEGIN))
        statistics.compact_all()
        before = self.totals()
        monkeypatch.setattr(retention.time, "time", lambda: BEGIN + 200 * 86_400)
        list(retention.prune(policy, "shop"))
        assert not Statistic.objects.exclude(step=EVER).exists()
        assert (
            self.totals()
            == before
            == {("shop.add", "mail"): {"sent": 1, "received": 1, "started": 1, "succeeded": 1}}
        )

    def test_it_begins_with_the_days_that_are_on_record(self) -> None:
        store(*run(BEGIN), *run(BEGIN + 86_400, "tomorrow"))
        statistics.compact_all()
        Statistic.objects.filter(step=EVER).delete()
        store(*run(BEGIN + 2 * 86_400, "after"), *run(BEGIN, "new", name="shop.new"))
        statistics.compact_all()
        row = Statistic.objects.get(step=EVER, name="shop.add")
        assert counters(row)["sent"] == 3
        assert histograms.unpacked(bytes(row.runs)) == {bucket_of(3.0): 3}
        assert counters(Statistic.objects.get(step=EVER, name="shop.new"))["sent"] == 1
