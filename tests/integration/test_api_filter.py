"""The filter of the list of tasks, as one text and as parameters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.api_client import ROOT, body, problem
from tests.integration.pages import task
from tests.integration.test_api_tasks import HOSTILE, listed, whole
from z4j_django.api import terms
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters

TASKS = f"{ROOT}tasks/"

pytestmark = pytest.mark.django_db


class TestFilter:
    #: Parameters, and the text that means the same.
    SAME = (
        ({"state": "FAILURE"}, "state:FAILURE"),
        ({"is": "Retrying,expired"}, "is:retrying,expired"),
        ({"state": "failure,retry"}, "state:FAILURE,RETRY"),
        ({"name": "shop.*"}, "name:shop.*"),
        ({"queue": '""'}, 'queue:""'),
        ({"worker": "w1@*", "queue": "mail"}, "worker:w1@* queue:mail"),
        ({"id": "whole"}, "id:whole"),
        ({"group": "group"}, "group:group"),
        ({"root": "root"}, "root:root"),
        ({"parent": "parent"}, "parent:parent"),
        ({"retry_of": "first"}, "retry_of:first"),
        ({"trace": "4bf9"}, "trace:4bf9"),
        ({"schedule": "nightly"}, "schedule:nightly"),
        ({"project": "default"}, "project:default"),
        ({"error": "PayError"}, "error:PayError"),
        ({"error": "0f1e2d3c4b5a6978"}, "error:0f1e2d3c4b5a6978"),
        ({"release": "shop 7"}, 'release:"shop 7"'),
        ({"sent": "2026-03-04"}, "sent:2026-03-04"),
        ({"received": ">1d"}, "received:>1d"),
        ({"started": "2026-03-04.."}, "started:2026-03-04.."),
        ({"finished": "<1h"}, "finished:<1h"),
        ({"runtime": ">1s"}, "runtime:>1s"),
        ({"retries": ">=2"}, "retries:>=2"),
        ({"deliveries": "0"}, "deliveries:0"),
        ({"priority": "1..5"}, "priority:1..5"),
        ({"args.0": "1"}, "args.0:1"),
        ({"kwargs.user": "ä"}, "kwargs.user:ä"),
        ({"kwargs.user name": "x y"}, 'kwargs."user name":"x y"'),
        ({"q": "pay", "state": "FAILURE"}, "pay state:FAILURE"),
        ({"name": ["shop.*", "shop.pay"]}, "name:shop.* name:shop.pay"),
        ({"q": ["pay", "-queue:mail"]}, "pay -queue:mail"),
    )

    @pytest.mark.parametrize(("given", "text"), SAME)
    def test_a_parameter_means_what_its_term_does(
        self, api, given: dict[str, Any], text: str
    ) -> None:
        whole()
        task("bare", name="shop.count", state="RETRY", sent_at=timezone.now(), runtime=0.1)
        task("spaced", kwargs={"user name": "x y"}, queue="other")
        assert listed(api, q=text) == listed(api, **given)
        expected = {
            "args.0": ["whole"],
            "kwargs.user": ["whole"],
            "kwargs.user name": ["spaced"],
            "runtime": ["whole"],
            "id": ["whole"],
        }
        if (first := next(iter(given))) in expected:
            assert listed(api, **given) == expected[first]

    def test_each_term_of_the_grammar_is_a_parameter(self, api) -> None:
        single = set(filters.TERMS) - set(terms.FAMILIES)
        assert set(terms.TERMS.names) == single | {"q", "args.*", "kwargs.*"}
        tested = {name for given, _ in self.SAME for name in given}
        assert single <= tested

    def test_all_that_is_given_has_to_hold(self, api) -> None:
        whole()
        whole("other", queue="bulk")
        assert listed(api, q="name:shop.*", state="FAILURE", queue="mail") == ["whole"]
        assert listed(api, q="-queue:mail", state="FAILURE") == ["other"]
        assert listed(api, queue=["mail", "bulk"]) == []

    def test_every_mistake_is_told_with_what_was_expected(self, api) -> None:
        given = {"q": "state:FAILURE runtime:>5x", "sent": "yesterday", "state": "GONE"}
        told = problem(api.get(TASKS, given), 400)
        assert told["type"] == "urn:z4j:filter"
        mistakes = {mistake["name"]: mistake for mistake in told["errors"]}
        assert mistakes.keys() == given.keys()
        assert mistakes["q"]["term"] == "runtime:>5x"
        assert mistakes["q"]["position"] == 15
        assert "a length of time" in mistakes["q"]["expected"]
        assert mistakes["sent"]["position"] == 0

    @pytest.mark.parametrize(
        "query",
        [
            "q=" + "x" * 2001,
            "q=" + "a%20" * 51,
            "state=",
            "args=1",
            "kwargs=1",
            "args.=1",
            "args.x=1",
            "kwargs.=1",
            "kwargs.a..b=1",
            "name.x=1",
            "=1",
            ".=1",
            "retries=9999999999",
            "q=%22",
            "kwargs.a%00=1",
        ],
    )
    def test_what_can_not_be_read_is_told(self, api, query: str) -> None:
        problem(api.get(f"{TASKS}?{query}"), 400)

    def test_all_parameters_together_have_fifty_terms_at_most(self, api) -> None:
        many = {"q": [f"word{number}" for number in range(30)]}
        many |= {f"kwargs.k{number}": "1" for number in range(21)}
        told = problem(api.get(TASKS, many), 400)
        assert "at most 50 terms" in told["errors"][0]["reason"]

    @pytest.mark.parametrize("text", [*HOSTILE, '\\"', "kwargs.*", "%", "_", "\\", "*"])
    def test_whatever_is_searched_for_is_no_error_of_the_server(self, api, text: str) -> None:
        for given in ({"q": text}, {"name": text}, {"kwargs.a": text}, {f"kwargs.{text}": "1"}):
            assert api.get(TASKS, given).status_code in (200, 400)

    def test_terms_without_an_index_are_told(self, api) -> None:
        whole()
        (note,) = body(api.get(TASKS, {"runtime": ">1s"}))["notes"]
        assert "runtime:>1" in note
        assert body(api.get(TASKS, {"runtime": ">1s", "name": "shop.pay"}))["notes"] == []

    def test_a_page_that_ends_early_leads_on(self, api) -> None:
        task("wanted", runtime=9)
        TaskRecord.objects.bulk_create(
            (TaskRecord(task_id=f"t{number}", runtime=0) for number in range(5000)),
            batch_size=500,
        )
        answer = body(api.get(TASKS, {"runtime": ">1s"}))
        assert answer["results"] == []
        assert "5,000 tasks were looked through" in answer["notes"][1]
        following = body(api.get(answer["next"]))
        assert [row["task_id"] for row in following["results"]] == ["wanted"]
        assert following["next"] is None


def test_the_clock_that_ages_count_from_is_the_requests(api) -> None:
    now = datetime.now(UTC)
    task("old", sent_at=now - timedelta(hours=3))
    task("new", sent_at=now - timedelta(minutes=1))
    assert listed(api, sent=">2h") == ["old"]
    assert listed(api, q="sent:<2h") == ["new"]
