"""Both ends of the tasks of a state, a bounded number of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet

from tests.integration.finding import ago
from tests.integration.pages import task
from z4j_django.models import TaskRecord
from z4j_django.queries import unfinished

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tasks() -> None:
    """Ten that wait, sent a minute apart, among others that do not."""
    for number in range(10):
        task(f"t{number}", state="PENDING", sent_at=ago(minutes=10 - number))
        task(f"done{number}", state="SUCCESS", sent_at=ago(minutes=10 - number))


def ids(rows: QuerySet[TaskRecord]) -> list[str]:
    return list(rows.order_by("id").values_list("task_id", flat=True))


def test_the_newest_are_no_more_than_asked_for() -> None:
    assert ids(unfinished.newest("default", "PENDING", 3)) == ["t7", "t8", "t9"]
    assert len(ids(unfinished.newest("default", "PENDING", 99))) == 10


def test_the_oldest_are_those_since_a_moment() -> None:
    since = ago(minutes=8, seconds=30)
    assert ids(unfinished.oldest("default", "PENDING", since, 3)) == ["t2", "t3", "t4"]
    assert len(ids(unfinished.oldest("default", "PENDING", since, 99))) == 8
    assert ids(unfinished.oldest("default", "PENDING", ago(seconds=1), 3)) == []


def test_others_projects_take_their_share_of_what_is_looked_at() -> None:
    task("theirs", state="PENDING", project="other")
    assert ids(unfinished.newest("default", "PENDING", 3)) == ["t8", "t9"]
    assert ids(unfinished.newest("other", "PENDING", 3)) == ["theirs"]


def test_what_waits_and_runs_is_counted_by_name_in_one_query(
    django_assert_num_queries: Any,
) -> None:
    for name, state in (("a", "STARTED"), ("a", "RECEIVED"), ("a", "RETRY"), ("b", "STARTED")):
        task(f"{name}-{state}", name=name, state=state, received_at=ago(minutes=1))
    task("theirs", name="a", state="STARTED", sent_at=ago(minutes=1), project="other")
    task("body", name="a", state="PENDING")  # of a chord that goes on
    with django_assert_num_queries(1):
        found = unfinished.by_name("default")
    assert found.waiting == {"": 10, "a": 2}
    assert found.running == {"a": 1, "b": 1}
    assert not found.more
    few = unfinished.by_name("default", 5)
    assert (sum(few.waiting.values()), few.more_waiting) == (6, True)
