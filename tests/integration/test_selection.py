"""Which tasks a filter finds, and that it stays what it was when somebody looked."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from z4j_django.models import TaskRecord
from z4j_django.queries.selection import Selection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    rows = [
        ("a1", "shop.charge", "FAILURE", "mail", "w1@h"),
        ("a2", "shop.charge", "SUCCESS", "mail", "w2@h"),
        ("a3", "shop.ship", "FAILURE", "bulk", "w1@h"),
        ("a4", "shop.charge", "FAILURE", "bulk", "w2@h"),
    ]
    for task_id, name, state, queue, worker in rows:
        TaskRecord.objects.create(
            project="shop", task_id=task_id, name=name, state=state, queue=queue, worker=worker
        )
    TaskRecord.objects.create(project="other", task_id="b1", name="shop.charge", state="FAILURE")


def found(selection: Selection, limit: int = 10) -> list[str]:
    return ids(selection.find(limit))


def ids(tasks: Iterable[TaskRecord]) -> list[str]:
    return [task.task_id for task in tasks]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"state": "FAILURE"}, ["a4", "a3", "a1"]),
        ({"state": "FAILURE", "name": "shop.charge"}, ["a4", "a1"]),
        ({"queue": "bulk"}, ["a4", "a3"]),
        ({"worker": "w1@h", "queue": "mail"}, ["a1"]),
        ({"q": "charge"}, ["a4", "a2", "a1"]),
        ({"search": "charge", "state": "SUCCESS"}, ["a2"]),
        ({"q": "a3"}, ["a3"]),
        ({"name": "shop"}, []),
        ({"name": "shop.charge", "unknown": "x", "p": "3"}, ["a4", "a2", "a1"]),
    ],
)
def test_it_finds_what_all_its_filters_leave_of_its_project(
    params: dict[str, str], expected: list[str]
) -> None:
    assert found(Selection.from_params(params, "shop")) == expected


def test_it_finds_the_newest_first_and_no_more_than_asked() -> None:
    assert found(Selection("shop", state="FAILURE"), 2) == ["a4", "a3"]


def test_a_frozen_one_takes_in_nothing_new() -> None:
    frozen = Selection("shop", state="FAILURE").frozen()
    TaskRecord.objects.create(project="shop", task_id="a5", state="FAILURE")
    assert found(frozen) == ["a4", "a3", "a1"]
    assert found(frozen.frozen()) == ["a4", "a3", "a1"]
    again = Selection.from_params(frozen.as_json(), "shop")
    assert again == frozen
    assert found(Selection("shop", state="FAILURE")) == ["a5", "a4", "a3", "a1"]


def test_where_nothing_is_on_record_a_frozen_one_finds_nothing_later() -> None:
    TaskRecord.objects.all().delete()
    frozen = Selection("shop", state="FAILURE").frozen()
    TaskRecord.objects.create(project="shop", task_id="a5", state="FAILURE")
    assert found(frozen) == []
    assert found(Selection.from_params(frozen.as_json(), "shop")) == []


def test_only_one_without_any_filter_is_empty() -> None:
    assert Selection.from_params({"state": "", "until": "7"}, "shop").is_empty
    assert not Selection("shop", search="x").is_empty
    assert Selection("shop").describe() == "every task"
    described = Selection("shop", state="FAILURE", search="charge", until=3).describe()
    assert described == "state FAILURE, search charge"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"state": "FAILED"}, "There is no state 'FAILED'; the states are PENDING, RECEIVED, "),
        ({"name": "a\0b"}, "The filter name has a value that no task can have."),
        ({"q": "x" * 256}, "The filter search has a value that no task can have."),
        ({"queue": "q", "until": "-1"}, "The filter until is not a row's number."),
    ],
)
def test_a_value_that_can_not_be_is_told(params: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=r"filter|state") as refusal:
        Selection.from_params(params, "shop")
    assert str(refusal.value).startswith(message)
