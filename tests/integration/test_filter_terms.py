"""A new term is one entry of the table: all that knows of terms knows of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration import test_filters
from tests.integration.pages import TASKS, superuser, task, text
from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.filter import conditions, index_choice, offers, terms
from z4j_django.queries.filter.terms import Index, Kind
from z4j_django.queries.selection import Selection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_lane")]


@pytest.fixture
def _lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """A term of its own, on a column that has an index."""
    kind = Kind(
        "lane",
        "pattern",
        "tasks of this lane",
        "lane:mail",
        Index(125, conditions.along("queue")),
        "queue",
        suggestions=offers.among("bulk", "mail"),
        is_parameter=True,
    )
    monkeypatch.setitem(terms.TERMS, "lane", kind)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _some() -> None:
    for number in range(60):
        task(f"m{number}", queue="mail", runtime=9.0 if number == 7 else 1.0)
    task("b", queue="bulk")


def found(asked: filters.Filter) -> list[str]:
    page = asked.page(TaskRecord.objects.all(), Cursor(), 100)
    return [one.task_id for one in page.rows]


def test_it_is_read_and_written_and_finds_its_tasks() -> None:
    asked = filters.parse("lane:mail runtime:>5s")
    assert str(asked) == "lane:mail runtime:>5s"
    assert found(asked) == ["m7"]
    assert found(filters.term("lane", "b*")) == ["b"]
    assert found(filters.parse("-lane:mail")) == ["b"]


def test_its_index_leads() -> None:
    assert filters.parse("lane:mail runtime:>5s").unindexed() == ()
    asked = filters.parse("runtime:>5s worker:w1 lane:b*,mail word")
    assert [one.name for one in index_choice.candidates(asked.terms)] == ["worker", "lane", ""]
    everything = TaskRecord.objects.all()
    chosen = index_choice.choose(filters.parse("lane:b*,mail").terms, everything)
    assert [(one.column, one.value) for one in chosen.ranges] == [
        ("queue", "bulk"),
        ("queue", "mail"),
    ]


def test_a_mistake_names_it() -> None:
    with pytest.raises(FilterError, match=r"one of .*, lane before the colon, perhaps lane"):
        filters.parse("lanes:mail")


def test_the_page_of_the_docs_has_to_list_it() -> None:
    missing = [row for row in test_filters.known() if row not in test_filters.documented()]
    assert missing == [("lane", "pattern", "tasks of this lane")]


def test_the_admin_explains_it_lists_its_tasks_and_counts_them() -> None:
    shown: Any = superuser().get(TASKS, {"q": "lane:mail"})
    assert "<code>lane:mail</code></a></th><td>Tasks of this lane</td>" in text(shown)
    assert "50 of 60, newest first" in text(shown)


def test_bulk_acts_on_what_it_leaves_in_the_sidebar() -> None:
    selection = Selection.from_params({"lane": "bulk", "state": "PENDING"}, "default")
    assert selection.search == 'lane:"bulk"'
    assert selection.ids(10) == ["b"]
