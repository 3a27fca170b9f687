"""Which tasks a filter finds, and that it stays what it was when somebody looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from z4j_django.models import TaskRecord
from z4j_django.queries import pages, selection
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
    ids = selection.ids(limit)
    assert [task.task_id for task in selection.records(limit, ("task_id",))] == ids
    return ids


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
        ({"q": "state:LOST"}, 'At 1, "state:LOST": expected a state: PENDING, RECEIVED, '),
        ({"q": "x" * 2001}, f'At 1, "{"x" * 100}…": expected at most 2,000 characters.'),
        ({"q": "x", "asked_at": "now"}, "The filter asked_at is not a moment with its time zone."),
        ({"q": "x", "asked_at": "2026-11-01T10:00"}, "The filter asked_at is not a moment with "),
        ({"queue": "q", "until": "-1"}, "The filter until is not a row's number."),
    ],
)
def test_a_value_that_can_not_be_is_told(params: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=r"filter|state|characters") as refusal:
        Selection.from_params(params, "shop")
    assert str(refusal.value).startswith(message)


def at(task_id: str, **fields: object) -> None:
    TaskRecord.objects.filter(task_id=task_id).update(**fields)


def test_its_search_is_the_filter_grammar() -> None:
    at("a1", kwargs={"user_id": 42}, exception_type="app.Refused")
    at("a3", kwargs={"user_id": 42})
    assert found(Selection("shop", search="kwargs.user_id:42 state:FAILURE")) == ["a3", "a1"]
    assert found(Selection("shop", state="FAILURE", search="error:Refused")) == ["a1"]
    assert found(Selection("shop", search="-queue:bulk name:shop.*")) == ["a2", "a1"]
    assert found(Selection("shop", search="project:other name:shop.*")) == []


def test_its_ages_count_from_the_moment_at_which_it_was_asked() -> None:
    now = timezone.now()
    at("a1", sent_at=now - timedelta(minutes=50))
    at("a2", sent_at=now - timedelta(minutes=70))
    selection = Selection("shop", search="sent:>1h")
    assert found(selection) == ["a2"]
    frozen = selection.frozen()
    assert abs(datetime.fromisoformat(frozen.asked_at) - now) < timedelta(minutes=1)
    later = replace(frozen, asked_at=(now + timedelta(minutes=15)).isoformat())
    assert found(later) == ["a1", "a2"]  # sent last, first
    assert later.frozen() == later
    assert Selection.from_params(later.as_json(), "shop") == later


@pytest.mark.parametrize("search", ["", "sent:<2h", "-state:SUCCESS runtime:>=0"])
def test_a_frozen_one_takes_in_nothing_new_whatever_leads(search: str) -> None:
    TaskRecord.objects.update(sent_at=timezone.now() - timedelta(minutes=3), runtime=1.0)
    frozen = Selection("shop", state="FAILURE", search=search).frozen()
    TaskRecord.objects.create(
        project="shop", task_id="a5", state="FAILURE", sent_at=timezone.now(), runtime=1.0
    )
    assert found(frozen) == ["a4", "a3", "a1"]


def test_it_walks_through_as_many_windows_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 1)
    monkeypatch.setattr(selection, "_PAGE", 1)
    at("a1", runtime=9.0)
    assert found(Selection("shop", name="shop.charge", search="runtime:>5s")) == ["a1"]
    assert found(Selection("shop", name="shop.charge")) == ["a4", "a2", "a1"]
    assert found(Selection("shop", state="SUCCESS")) == ["a2"]


def test_the_first_are_found_as_far_as_it_looks() -> None:
    charged = Selection("shop", search="name:shop.charge state:FAILURE,SUCCESS")
    rows = [one.pk for one in charged.records(9, ("task_id",))]
    assert charged.first(9, 100) == selection.Found(rows)
    assert charged.first(2, 100) == selection.Found(rows[:2])
    failed = Selection("shop", search="queue:mail,bulk worker:w1@h")
    rows = [one.pk for one in failed.records(9, ("task_id",))]
    assert failed.first(9, 100) == selection.Found(rows)
    narrowed = Selection("shop", search="name:shop.charge -args.0:1")
    # The newest of that name is another project's.
    assert narrowed.first(9, 1) == selection.Found(rows=[_row("a4")], looked_through=2)
    by_moment = Selection("shop", search="sent:<1d")
    assert by_moment.first(9, 1) == selection.Found([])


def test_while_nothing_is_found_it_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Selection("shop", search="name:shop.charge runtime:>9s")
    assert nothing.first(5, 1) == selection.Found([])
    TaskRecord.objects.filter(task_id="a1").update(runtime=10)
    assert nothing.first(5, 1) == selection.Found([_row("a1")])
    monkeypatch.setattr(pages, "EXAMINED_LIMIT", 2)
    TaskRecord.objects.filter(task_id="a1").update(runtime=1)
    with pytest.raises(ValueError, match="finds too little: 2 tasks were looked through"):
        nothing.first(5, 1)


def test_thousands_are_counted_in_few_queries() -> None:
    for narrowing in ("", " -args.0:1"):
        wanted = Selection("shop", search=f"state:FAILURE{narrowing}").frozen()
        with CaptureQueriesContext(connection) as captured:
            wanted.first(10_001, 12_000)
        assert len(captured) <= 4, [one["sql"] for one in captured]


def _row(task_id: str) -> int:
    return TaskRecord.objects.get(task_id=task_id).pk


def test_one_that_finds_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 1)
    monkeypatch.setattr(pages, "EXAMINED_LIMIT", 2)
    with pytest.raises(ValueError, match="finds too little: 2 tasks were looked through") as told:
        Selection("shop", search="name:shop.charge runtime:>9s").ids(5)
    assert str(told.value).endswith("Narrow it by a range of sent, such as sent:<2d.")


@pytest.mark.parametrize(
    "search", ["runtime:>5s", "state:SUCCESS -runtime:>5s", 'queue:"" args.0:1']
)
def test_one_without_an_index_is_refused_before_anything_is_read(search: str) -> None:
    unindexed = Selection("shop", search=search)
    for ask in (unindexed.ids, partial(unindexed.records, columns=("task_id",))):
        with CaptureQueriesContext(connection) as captured, pytest.raises(ValueError) as told:  # noqa: PT011 - the message follows
            ask(5)
        assert not captured.captured_queries
        term = search.split()[-1]
        assert str(told.value).startswith(f"{term}: there is no index for this. Put a term beside")
    assert found(Selection("shop", queue="bulk", search="-runtime:>5s")) == ["a4", "a3"]


def test_a_project_that_can_not_be_is_told() -> None:
    with pytest.raises(ValueError, match="filter project has a value that no task can have"):
        Selection.from_params({"state": "FAILURE"}, "a\0b")


def test_the_project_alone_is_no_filter() -> None:
    assert Selection("shop", search=" project:shop").is_empty
    assert not Selection("shop", search="-name:celery.*").is_empty
