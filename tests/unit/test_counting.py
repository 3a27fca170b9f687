"""What the events of a batch add to the statistics."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories import lives
from z4j_django.agent import events
from z4j_django.counters import COUNTERS
from z4j_django.histograms import bucket_of
from z4j_django.store.counting import Count, Known
from z4j_django.store.folding import Fold

HEADER = events.Header(schema=1, project="shop", host="h", pid=7)
MESSAGE = events.Message(name="shop.add", queue="mail")
NOW = 1_700_000_040.0


def event(kind: str, at: float, **fields: object) -> events.TaskEvent:
    fields = {"name": "shop.add", **fields}
    return events.TaskEvent(kind=kind, task_id="a", at=at, **fields)  # type: ignore[arg-type]


def folded(*found: events.Event) -> Fold:
    fold = Fold(now=NOW)
    fold.add(found, HEADER)
    fold.settle()
    return fold


def counted(*found: events.Event, known: Known | None = None) -> list[Count]:
    counts = folded(*found).counts
    counts.resolve({("shop", "a"): known} if known else {})
    return counts.by_project()["shop"]


def of(count: Count) -> dict[str, int]:
    return {name: n for name, n in zip(COUNTERS, count.counters, strict=True) if n}


def run(begin: float = NOW, **fields: object) -> list[events.TaskEvent]:
    return [
        event(events.TASK_SENT, begin, message=MESSAGE, **fields),
        event(events.TASK_RECEIVED, begin + 1, message=MESSAGE, sent_at=begin, **fields),
        event(events.TASK_STARTED, begin + 2, **fields),
        event(events.TASK_SUCCEEDED, begin + 5, runtime=3.0, **fields),
    ]


def test_a_run_counts_in_its_minute_by_name_and_queue() -> None:
    [count] = counted(*run())
    assert (count.minute, count.name, count.queue) == (1_700_000_040, "shop.add", "mail")
    assert of(count) == {"sent": 1, "received": 1, "started": 1, "succeeded": 1}
    assert count.runs == {bucket_of(3.0): 1}
    assert count.waits == {bucket_of(2.0): 1}


def test_each_event_counts_in_its_own_minute() -> None:
    found = counted(*run(NOW + 57.5))
    assert [(count.minute, of(count)) for count in found] == [
        (1_700_000_040, {"sent": 1, "received": 1, "started": 1}),
        (1_700_000_100, {"succeeded": 1}),
    ]


def test_a_task_waits_from_when_it_is_due() -> None:
    message = events.Message(name="shop.add", queue="mail", eta="2023-11-14T22:15:00+00:00")
    sent = event(events.TASK_SENT, NOW, message=message)
    [count] = [one for one in counted(sent, event(events.TASK_STARTED, NOW + 65.0)) if one.waits]
    assert count.waits == {bucket_of(5.0): 1}


def test_each_attempt_waits_for_itself() -> None:
    again = [
        event(events.TASK_SENT, NOW + 10, retries=1, message=MESSAGE),
        event(events.TASK_STARTED, NOW + 11, retries=1),
    ]
    [count] = counted(*run(), *again)
    assert count.waits == {bucket_of(2.0): 1, bucket_of(1.0): 1}


def test_of_a_start_and_an_end_the_store_is_asked_for_the_rest() -> None:
    start, end = run()[2:]
    assert folded(start, end).counts.unknown == {"shop": ["a"]}
    [count] = counted(start, end, known=Known("shop.add", "mail", 0, NOW - 1.0, None))
    assert (count.queue, count.waits) == ("mail", {bucket_of(3.0): 1})


def test_a_run_that_is_stored_before_its_message_counts_where_it_came_from() -> None:
    start = event(events.TASK_STARTED, NOW, queue="mail")
    end = event(events.TASK_SUCCEEDED, NOW + 3, runtime=3.0, queue="mail")
    assert folded(end).counts.unknown == {}
    [count] = counted(start, end)
    assert (count.name, count.queue) == ("shop.add", "mail")
    assert of(count) == {"started": 1, "succeeded": 1}


def test_of_what_the_batch_knows_the_store_is_not_asked() -> None:
    assert folded(*run()).counts.unknown == {}
    without_queue = events.Message(name="shop.add")
    assert folded(event(events.TASK_RECEIVED, NOW, message=without_queue)).counts.unknown == {}


def test_a_later_attempt_waits_from_its_eta_and_else_nobody_knows() -> None:
    start = event(events.TASK_STARTED, NOW + 2, retries=1)
    [count] = counted(start, known=Known("shop.add", "mail", 1, NOW - 100.0, NOW))
    assert count.waits == {bucket_of(2.0): 1}
    [count] = counted(start, known=Known("shop.add", "mail", 1, NOW - 100.0, None))
    assert count.waits == {}
    [count] = counted(start, known=Known("shop.add", "mail", 2, NOW - 100.0, NOW))
    assert count.waits == {}


def test_what_nobody_knows_is_empty() -> None:
    [count] = counted(event(events.TASK_REVOKED, NOW, name=""))
    assert (count.name, count.queue, of(count)) == ("", "", {"revoked": 1})


def test_a_name_that_an_event_lacks_is_that_of_the_record() -> None:
    known = Known("shop.add", "mail", 0, None, None)
    [count] = counted(event(events.TASK_REVOKED, NOW, name=""), known=known)
    assert (count.name, count.queue) == ("shop.add", "mail")


def test_a_far_future_counts_when_it_is_stored() -> None:
    found = counted(
        event(events.TASK_REVOKED, NOW + 86_000, message=MESSAGE),
        event(events.TASK_REVOKED, NOW + 90_000, message=MESSAGE),
        event(events.TASK_REVOKED, -5.0, message=MESSAGE),
    )
    assert [count.minute for count in found] == [-60, 1_700_000_040, 1_700_086_020]


def test_what_a_sample_left_out_counts_as_that_alone() -> None:
    fold = folded(events.SampledEvent("shop.tick", NOW))
    assert not fold.tasks
    assert not fold.timeline
    [count] = fold.counts.by_project()["shop"]
    assert (count.name, count.queue, of(count)) == ("shop.tick", "", {"sampled": 1})


def test_hostile_names_are_bounded_and_storable() -> None:
    name = "a\x00" + "x" * 5_000
    [count] = counted(event(events.TASK_REVOKED, NOW, name=name))
    assert len(count.name) == 255
    assert "\x00" not in count.name


@settings(max_examples=100, deadline=None)
@given(lives(), st.data())
def test_the_counts_are_those_of_the_timeline_in_any_order(
    life: list[events.TaskEvent], data: st.DataObject
) -> None:
    observed = data.draw(st.lists(st.sampled_from(life), max_size=3)) if life else []
    mixed = [*life, *(_observed(each) for each in observed)]
    fold = folded(*data.draw(st.permutations(mixed)))
    expected = folded(*mixed)
    for each in (fold, expected):
        each.counts.resolve({})
    assert fold.counts.by_project() == expected.counts.by_project()
    kinds = Counter(row.kind for row in fold.timeline)
    found: Counter[str] = Counter()
    for count in fold.counts.by_project()["shop"]:
        found.update(of(count))
    assert found == {counter_of(kind): n for kind, n in kinds.items()}


def _observed(event: events.TaskEvent) -> events.TaskEvent:
    return events.TaskEvent(event.kind, event.task_id, event.at, name=event.name, observed=True)


def counter_of(kind: str) -> str:
    return kind.removeprefix("task_").replace("retry", "retried")
