"""The failures of a batch, merged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_folding import event, folded, row_of, run
from z4j_django.agent import events
from z4j_django.store.error_rows import Errors
from z4j_django.store.folding import Fold
from z4j_django.values import release_key

FAILURES = [events.Failure("ValueError", text) for text in ("no order 1", "no order 2", "no user")]


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[events.TaskEvent, int | None]]:
    """Failures of few causes and releases, no two of one task."""
    numbers = range(draw(st.integers(1, 8)))
    return [
        (
            events.TaskEvent(
                events.TASK_FAILED,
                f"task-{number}",
                float(draw(st.integers(1, 4))),
                name="shop.pay",
                failure=draw(st.sampled_from(FAILURES)),
            ),
            draw(st.sampled_from([None, 1, 2])),
        )
        for number in numbers
    ]


def merged(batch: list[tuple[events.TaskEvent, int | None]]) -> Errors:
    errors = Errors(now=2e9)
    for one, release in batch:
        errors.add(one, "shop", release)
    errors.settle(Fold()._rules)
    return errors


@given(batches(), st.data())
def test_the_order_of_failures_does_not_matter(
    batch: list[tuple[events.TaskEvent, int | None]], data: st.DataObject
) -> None:
    expected, found = merged(batch), merged(data.draw(st.permutations(batch)))
    assert (found.groups, found.releases) == (expected.groups, expected.releases)
    assert sum(row.count for row in found.groups.values()) == len(batch)
    assert sum(row.count for row in found.releases.values()) == len(batch)


@given(batches())
def test_what_is_put_aside_is_counted_once(
    batch: list[tuple[events.TaskEvent, int | None]],
) -> None:
    found = merged(batch)
    became = found.put_aside(list(found.groups))
    (other,) = found.groups.values()
    assert set(became.values()) == {other.fingerprint}
    newest = max(one.at for one, _ in batch)
    assert (other.count, other.last_seen, other.name) == (len(batch), newest, "")
    assert sum(row.count for row in found.releases.values()) == len(batch)


def test_a_failure_stands_on_the_tasks_row_with_its_release() -> None:
    failure = events.Failure("ValueError", "no")
    header = events.Header(schema=1, project="shop", host="h", pid=7, release="shop 7")
    fold = Fold()
    fold.add(run(events.TASK_FAILED, failure=failure), header)
    (row,) = fold.tasks.values()
    (group,) = fold.errors.groups.values()
    (release,) = fold.releases.rows.values()
    assert (row.error, row.release) == (group.fingerprint, release_key("shop 7"))
    assert (release.name, release.first_seen, release.last_seen) == ("shop 7", 1.0, 4.0)
    assert (group.message, group.count, group.task_id) == ("no", 1, "a")


def test_what_is_tried_again_is_no_failure_of_an_error() -> None:
    failure = events.Failure("ValueError", "no")
    fold = folded(run(events.TASK_RETRY, failure=failure))
    assert fold.errors.groups == {}
    assert row_of(*run(events.TASK_RETRY, failure=failure)).error is None


def test_a_later_attempt_that_succeeds_is_of_no_error() -> None:
    failed = run(events.TASK_FAILED, failure=FAILURES[0])
    again = event(events.TASK_SUCCEEDED, 9.0, retries=1)
    assert row_of(*failed, again).error is None


def test_a_bystander_knows_of_no_release() -> None:
    header = events.Header(schema=1, project="shop", host="h", pid=7, release="shop 7")
    fold = Fold()
    fold.add([event(events.TASK_FAILED, 1.0, observed=True, failure=FAILURES[0])], header)
    (row,) = fold.tasks.values()
    assert row.release is None
    assert row.error is not None
