"""What a poller is told with ``?since=``, whatever order transactions end in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import plans
from tests.integration.api_client import ROOT, body, problem
from tests.integration.pages import NOW, task
from z4j_django.models import TaskEvent
from z4j_django.queries import changes
from z4j_django.queries.changes import Gap, Token

TASKS = f"{ROOT}tasks/"


def happened(*task_ids: str, **fields: Any) -> None:
    TaskEvent.objects.bulk_create(
        TaskEvent(task_id=task_id, kind="task_sent", at=NOW, **fields) for task_id in task_ids
    )


def at(number: int, task_id: str) -> None:
    """An event of this number; the tests' own gaps are made so."""
    TaskEvent.objects.create(pk=number, task_id=task_id, kind="task_sent", at=NOW)


def told(token: Token, now: datetime | None = None) -> tuple[set[str], Token]:
    found = changes.since(token, now)
    return {one for ids in found.tasks.values() for one in ids}, found.token


def later(seconds: int) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


@pytest.mark.django_db
class TestPolling:
    def test_a_list_says_from_where_on_to_ask(self, api) -> None:
        task("a")
        task("b", state="FAILURE")
        happened("a", "b")
        first = body(api.get(TASKS))
        nothing = body(api.get(TASKS, {"since": first["since"]}))
        assert nothing["results"] == []
        assert nothing["more"] is False
        happened("b")
        again = body(api.get(TASKS, {"since": nothing["since"], "fields": "task_id,state"}))
        assert again["results"] == [{"task_id": "b", "state": "FAILURE"}]
        assert body(api.get(TASKS, {"since": again["since"]}))["results"] == []

    def test_a_poller_that_was_away_is_told_all_of_it(self, api) -> None:
        since = body(api.get(TASKS))["since"]
        for name in "abc":
            task(name)
        happened("a", "b", "a", "c", "unknown")
        answer = body(api.get(TASKS, {"since": since}))
        assert [row["task_id"] for row in answer["results"]] == ["c", "b", "a"]
        assert (answer["next"], answer["previous"]) == (None, None)

    def test_the_filter_narrows_what_is_told(self, api) -> None:
        since = body(api.get(TASKS))["since"]
        task("a", state="FAILURE", runtime=3, kwargs={"b": 1})
        task("b", state="FAILURE", runtime=1)
        happened("a", "b")
        given = {"since": since, "q": "state:FAILURE runtime:>2s", "kwargs.b": "1"}
        answer = body(api.get(TASKS, given))
        assert [row["task_id"] for row in answer["results"]] == ["a"]
        assert answer["notes"] == []

    def test_tasks_of_all_projects_are_told_apart(self, api) -> None:
        since = body(api.get(TASKS))["since"]
        task("a")
        task("a", project="other")
        happened("a", project="other")
        (row,) = body(api.get(TASKS, {"since": since}))["results"]
        assert row["project"] == "other"

    def test_more_than_one_answer_takes_comes_in_several(self, api, monkeypatch) -> None:
        monkeypatch.setattr(changes, "EVENTS_LIMIT", 3)
        since = body(api.get(TASKS))["since"]
        for number in range(7):
            task(f"t{number}")
        happened(*(f"t{number}" for number in range(7)))
        seen, more = [], True
        while more:
            answer = body(api.get(TASKS, {"since": since}))
            seen.append(len(answer["results"]))
            since, more = answer["since"], answer["more"]
        assert seen == [3, 3, 1]

    def test_the_token_is_no_part_of_the_etag(self, api) -> None:
        task("a")
        happened("a")
        first = api.get(TASKS)
        happened("a")
        second = api.get(TASKS)
        assert first.json()["since"] != second.json()["since"]
        assert first.headers["ETag"] == second.headers["ETag"]
        known = {"If-None-Match": first.headers["ETag"]}
        assert api.get(TASKS, headers=known).status_code == 304

    def test_a_new_token_is_told_to_whoever_has_the_answer_but_for_it(
        self, api, monkeypatch
    ) -> None:
        monkeypatch.setattr(changes, "EVENTS_LIMIT", 3)
        since, etag = body(api.get(TASKS))["since"], ""
        for number in range(7):
            task(f"t{number}")
        happened(*(f"t{number}" for number in range(7)))
        asked = 0
        while since:
            query = {"since": since, "name": "shop.nothing"}
            response = api.get(TASKS, query, headers={"If-None-Match": etag})
            told = body(response)
            since, etag = told["since"] if told["more"] else "", response.headers["ETag"]
            asked += 1
        assert asked == 3

    def test_a_later_page_has_none(self, api) -> None:
        for number in range(3):
            task(f"t{number}")
        first = body(api.get(TASKS, {"limit": 2}))
        assert "since" not in body(api.get(first["next"]))

    @pytest.mark.parametrize("name", ["cursor", "limit", "ordering"])
    def test_what_belongs_to_pages_does_not_go_with_it(self, api, name: str) -> None:
        since = body(api.get(TASKS))["since"]
        (mistake,) = problem(api.get(TASKS, {"since": since, name: "1"}), 400)["errors"]
        assert mistake["name"] == name

    @pytest.mark.parametrize(
        "given",
        ["", "x", "ä", "kQ", "wA", "!!!!", "A" * 5000, "kgGQ=", "k\n", "kwGQ", "0gH/", "kv+Q"],
    )
    def test_a_token_that_no_list_gave_is_told(self, api, given: str) -> None:
        (mistake,) = problem(api.get(TASKS, {"since": given}), 400)["errors"]
        assert mistake["name"] == "since"

    def test_without_a_timeline_it_says_so(self, api, settings) -> None:
        since = body(api.get(TASKS))["since"]
        settings.Z4J = {"TIMELINE": False}
        assert "since" not in body(api.get(TASKS))
        (mistake,) = problem(api.get(TASKS, {"since": since}), 400)["errors"]
        assert "TIMELINE" in mistake["reason"]

    def test_it_takes_a_handful_of_queries(self, api, django_assert_max_num_queries) -> None:
        since = body(api.get(TASKS))["since"]
        happened(*(f"t{number}" for number in range(900)))
        with django_assert_max_num_queries(3):
            api.get(TASKS, {"since": since})


@pytest.mark.django_db
class TestGaps:
    """Numbers are given on purpose here; what a gap is does not depend on how it came about."""

    def test_what_comes_to_lie_in_a_gap_is_told(self) -> None:
        at(100, "a")
        at(103, "d")
        token = changes.start()
        assert [(gap.first, gap.last) for gap in token.gaps] == [(101, 102)]
        at(101, "b")
        names, token = told(token)
        assert names == {"b"}
        at(102, "c")
        assert told(token)[0] == {"c"}
        assert told(told(token)[1])[0] == set()

    def test_a_gap_that_shows_while_polling_is_kept_too(self) -> None:
        at(100, "a")
        token = changes.start()
        assert token == Token(100)
        at(105, "f")
        names, token = told(token)
        assert names == {"f"}
        at(103, "d")
        at(106, "g")
        assert told(token)[0] == {"d", "g"}

    def test_a_gap_is_looked_into_once_more_when_it_is_old_and_then_no_more(self) -> None:
        at(100, "a")
        at(102, "c")
        token = changes.start()
        at(101, "b")
        names, final = told(token, later(changes.SETTLED + 2))
        assert (names, final.gaps) == ({"b"}, ())

    def test_a_young_one_is_kept_with_its_age(self) -> None:
        at(100, "a")
        at(102, "c")
        token = changes.start()
        assert told(token, later(5))[1] == token

    def test_a_rolled_back_one_goes_with_its_age(self) -> None:
        at(100, "a")
        at(102, "c")
        assert told(changes.start(), later(changes.SETTLED + 2))[1] == Token(102)

    def test_many_are_taken_together_and_nothing_in_them_is_missed(self) -> None:
        for number in range(0, 200, 2):
            at(1000 + number, f"t{number}")
        token = changes.start()
        assert len(token.gaps) == changes.GAPS_LIMIT
        for number in range(1, 199, 2):
            at(1000 + number, f"t{number}")
        names, token = told(token)
        assert {f"t{number}" for number in range(1, 199, 2)} <= names
        assert token == Token(1198)

    def test_so_many_come_late_that_one_answer_does_not_take_them(self, monkeypatch) -> None:
        monkeypatch.setattr(changes, "EVENTS_LIMIT", 3)
        at(100, "first")
        at(110, "last")
        at(120, "very last")
        token = changes.start()
        for number in (*range(101, 110), *range(111, 120)):
            at(number, f"t{number}")
        seen: set[str] = set()
        for _ in range(7):
            names, token = told(token, later(changes.SETTLED + 2))
            seen |= names
        assert seen == {f"t{number}" for number in (*range(101, 110), *range(111, 120))}
        assert token.gaps == ()

    def test_old_ones_do_not_hold_up_what_is_new(self, monkeypatch) -> None:
        monkeypatch.setattr(changes, "EVENTS_LIMIT", 3)
        token = Token(110, (Gap(101, 109, 0),))
        for number in range(101, 115):
            at(number, f"t{number}")
        assert {"t111", "t112", "t113"} <= told(token)[0]

    def test_an_empty_timeline_has_none(self) -> None:
        TaskEvent.objects.all().delete()
        assert changes.start() == Token()
        assert told(Token())[0] == set()

    def test_tokens_are_short(self) -> None:
        for number in range(0, 200, 2):
            at(10**12 + number, f"t{number}")
        token = changes.start()
        assert len(token.text()) < 600
        assert Token.from_text(token.text()) == token

    @pytest.mark.parametrize(
        "token", [Token(2**63 - 1), Token(2**63 - 1, (Gap(0, 2**63 - 1, 2**63 - 1),) * 16)]
    )
    def test_a_made_up_token_costs_no_more(self, token: Token) -> None:
        happened("a")
        with CaptureQueriesContext(connection) as captured:
            told(Token.from_text(token.text()))
        assert len(captured) <= changes.GAPS_LIMIT + 1


@contextmanager
def under_way(task_id: str) -> Iterator[None]:
    """Another connection has stored an event here, and commits where the block ends."""
    stored, commit = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def store() -> None:
        try:
            with transaction.atomic():
                task(task_id)
                happened(task_id)
                stored.set()
                assert commit.wait(20)
        except BaseException as error:
            failures.append(error)
            stored.set()
        finally:
            connection.close()

    thread = threading.Thread(target=store)
    thread.start()
    assert stored.wait(20)
    try:
        yield
    finally:
        commit.set()
        thread.join(20)
    assert not failures


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    @pytest.fixture(autouse=True)
    def _two_writers(self):
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time.")

    # Each test has ids of its own: where InnoDB keeps a deleted one for a while, an insert of the
    # same locks its neighbours.

    def test_one_that_ends_after_a_later_one_is_told(self, api) -> None:
        task("a-before")
        happened("a-before")
        with under_way("a-slow"):
            task("a-quick")
            happened("a-quick")
            first = body(api.get(TASKS))
            assert {row["task_id"] for row in first["results"]} == {"a-before", "a-quick"}
        answer = body(api.get(TASKS, {"since": first["since"]}))
        assert [row["task_id"] for row in answer["results"]] == ["a-slow"]

    def test_one_that_ends_between_two_polls_is_told(self, api) -> None:
        task("b-before")
        happened("b-before")
        since = body(api.get(TASKS))["since"]
        with under_way("b-slow"):
            task("b-quick")
            happened("b-quick")
            second = body(api.get(TASKS, {"since": since}))
            assert [row["task_id"] for row in second["results"]] == ["b-quick"]
        third = body(api.get(TASKS, {"since": second["since"]}))
        assert [row["task_id"] for row in third["results"]] == ["b-slow"]
        assert body(api.get(TASKS, {"since": third["since"]}))["results"] == []

    def test_one_that_many_others_overtake_is_told(self, api) -> None:
        task("c-before")
        happened("c-before")
        with under_way("c-slow"):
            happened(*("c-before" for _ in range(1500)))
            first = body(api.get(TASKS))
            assert [row["task_id"] for row in first["results"]] == ["c-before"]
        answer = body(api.get(TASKS, {"since": first["since"]}))
        assert [row["task_id"] for row in answer["results"]] == ["c-slow"]

    def test_one_that_is_rolled_back_holds_nothing_up(self, api) -> None:
        task("d-before")
        with transaction.atomic():
            happened("d-before")
            transaction.set_rollback(True)
        happened("d-before")
        since = body(api.get(TASKS))["since"]
        happened("d-before")
        answer = body(api.get(TASKS, {"since": since}))
        assert [row["task_id"] for row in answer["results"]] == ["d-before"]
        assert body(api.get(TASKS, {"since": answer["since"]}))["results"] == []


@pytest.fixture
def _events(django_db_setup, django_db_blocker):
    """Committed, for MySQL's ANALYZE ends a transaction."""
    with django_db_blocker.unblock():
        happened(*(f"t{number // 4}" for number in range(30_000)))
        with connection.cursor() as cursor:
            words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
            cursor.execute(f"{words} {TaskEvent._meta.db_table}")
        yield
        TaskEvent.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.usefixtures("_events")
def test_the_timeline_is_read_along_its_key() -> None:
    newest = TaskEvent.objects.latest("pk").pk
    TaskEvent.objects.filter(pk=newest - 50).delete()
    with CaptureQueriesContext(connection) as captured:
        token = changes.start()
        changes.since(token)
        changes.since(Token(newest - 500))
    assert token.gaps[0].first == newest - 50
    assert len(captured) == 5
    for one in captured.captured_queries:
        plan = plans.explain(connection, one["sql"])
        assert "primary" in plan.indexes, plan.text
        # MySQL has a table of its own for the steps between the numbers.
        assert not plan.scans or "<derived" in plan.text, plan.text
