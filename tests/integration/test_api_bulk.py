"""Many tasks at once by the API: previewed, frozen, capped, left to a worker, aborted."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone

from tests.integration.api_client import address, body, client, problem
from tests.integration.operators import Pretence, grant, kept, operation, pretend
from z4j_django import control
from z4j_django.models import Operation, TaskRecord
from z4j_django.operations import bulk_operations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue", "handed_over")]


def remember(count: int, state: str = "FAILURE", **fields: Any) -> None:
    TaskRecord.objects.bulk_create(
        [TaskRecord(task_id=f"{state}-{n:05}", state=state, **fields) for n in range(count)]
    )


def post(*parts: Any, query: str = "", **given: Any) -> Any:
    where = address("operations", *parts) + query
    return client("z4j operator").post(where, json.dumps(given), content_type="application/json")


def preview(text: str = "state:FAILURE") -> dict[str, Any]:
    seen: dict[str, Any] = body(post("preview", filter=text))
    return seen


def as_previewed(seen: dict[str, Any]) -> dict[str, Any]:
    return {name: seen[name] for name in ("filter", "until", "asked_at")}


def targets(number: int) -> list[str]:
    found = Operation.objects.get(pk=number).targets.order_by("position")
    return list(found.values_list("target", flat=True))


class TestPreview:
    """``operations/preview/``."""

    def test_it_says_how_many_there_are_and_shows_the_newest(self) -> None:
        remember(12, name="shop.pay")
        remember(3, "SUCCESS")
        seen = preview("state:FAILURE name:shop.*")
        assert (seen["count"], seen["capped"]) == (12, False)
        assert [task["task_id"] for task in seen["sample"]] == [
            f"FAILURE-{n:05}" for n in range(11, 1, -1)
        ]
        assert seen["sample"][0]["url"] == f"http://testserver{address('tasks', 'FAILURE-00011')}"
        assert seen["filter"] == "state:FAILURE name:shop.*"
        assert seen["until"] == TaskRecord.objects.latest("id").pk
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", seen["asked_at"])
        assert not Operation.objects.exists()

    @override_settings(Z4J={"BULK_LIMIT": 5})
    def test_more_than_the_limit_are_capped(self) -> None:
        remember(7)
        seen = preview()
        assert (seen["count"], seen["capped"], len(seen["sample"])) == (5, True, 5)

    def test_nothing_is_an_answer_too(self) -> None:
        seen = preview()
        assert (seen["count"], seen["sample"], seen["until"]) == (0, [], 0)

    def test_it_looks_into_the_project_that_is_asked_for(self) -> None:
        remember(2, project="other")
        assert preview()["count"] == 0
        seen = body(post("preview", query="?project=other", filter="state:FAILURE"))
        assert seen["count"] == 2

    def test_a_filter_without_an_index_is_refused_with_what_would_help(self) -> None:
        for parts, given in ((("preview",), {}), ((), {"verb": "retry"})):
            told = problem(post(*parts, filter="runtime:>5s", **given), 409)
            assert told["type"] == "urn:z4j:refused"
            assert "runtime:>5s: there is no index for this." in told["detail"]
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("parts", [("preview",), ()])
    def test_a_filter_that_can_not_be_read_is_told_as_a_mistake_of_it(self, parts: Any) -> None:
        given = {} if parts else {"verb": "retry"}
        told = problem(post(*parts, filter="state:FAILURE runtime:>5x", **given), 400)
        assert told["type"] == "urn:z4j:filter"
        [mistake] = told["errors"]
        assert (mistake["name"], mistake["term"], mistake["position"]) == (
            *("filter", "runtime:>5x"),
            15,
        )
        assert mistake["expected"]
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("text", ["", "  ", None, 5, ["state:FAILURE"], "x" * 2_001])
    def test_what_is_no_filter_is_named(self, text: Any) -> None:
        for parts, given in ((("preview",), {}), ((), {"verb": "cancel"})):
            told = problem(post(*parts, filter=text, **given), 400)
            assert [one["name"] for one in told["errors"]] == ["filter"]


class TestActing:
    """POST ``operations/``."""

    def test_what_was_previewed_is_acted_on_and_nothing_that_came_later(self) -> None:
        remember(2)
        seen = preview()
        TaskRecord.objects.create(task_id="late", state="FAILURE")
        response = post(verb="retry", **as_previewed(seen))
        told = body(response, 202)
        assert response.headers["Location"] == told["url"]
        assert (told["state"], told["total"]) == ("finished", 2)
        assert targets(told["id"]) == ["FAILURE-00000", "FAILURE-00001"]
        made = Operation.objects.get()
        assert (made.surface, made.actor) == ("api", "api-z4j-operator")
        assert made.selection["search"] == "state:FAILURE"
        assert made.selection["until"] == seen["until"]

    def test_ages_count_from_the_preview(self) -> None:
        now = timezone.now()
        for minutes in (50, 70):
            TaskRecord.objects.create(
                task_id=f"{minutes}", state="FAILURE", sent_at=now - timedelta(minutes=minutes)
            )
        text = "state:FAILURE sent:>1h"
        told = body(post(verb="retry", filter=text), 202)
        assert targets(told["id"]) == ["70"]
        later = (now + timedelta(minutes=15)).isoformat()
        told = body(post(verb="retry", filter=text, asked_at=later), 202)
        assert targets(told["id"]) == ["70", "50"]  # as they were sent

    def test_ids_are_taken_as_they_are_each_once(self) -> None:
        remember(3)
        ids = ["FAILURE-00002", "FAILURE-00000", "FAILURE-00002", "unknown"]
        told = body(post(verb="retry", task_ids=ids), 202)
        assert targets(told["id"]) == ["FAILURE-00002", "FAILURE-00000", "unknown"]
        assert told["counts"]["refused"] == 3

    def test_one_alone_that_is_refused_is_no_error(self) -> None:
        told = body(post(verb="cancel", task_ids=["unknown"]), 202)
        assert (told["total"], told["counts"]["refused"]) == (1, 1)

    def test_many_are_left_to_a_worker(self, handed_over: list[int]) -> None:
        remember(bulk_operations.INLINE + 1)
        told = body(post(verb="retry", filter="state:FAILURE"), 202)
        assert (told["state"], told["counts"]["pending"]) == ("waiting", bulk_operations.INLINE + 1)
        assert (len(told["targets"]), told["finished_at"]) == (100, None)
        assert handed_over == [told["id"]]
        bulk_operations.carry_on(told["id"])
        after = body(client("z4j viewer").get(told["url"]))
        assert (after["state"], after["counts"]["refused"]) == (
            "finished",
            bulk_operations.INLINE + 1,
        )

    def test_a_rate_leaves_few_to_a_worker_too(self, handed_over: list[int]) -> None:
        remember(1)
        told = body(post(verb="terminate", filter="state:FAILURE", rate=0.5, signal="SIGINT"), 202)
        assert told["parameters"] == {"rate": 0.5, "signal": "SIGINT"}
        assert (told["state"], handed_over) == ("waiting", [told["id"]])

    def test_the_options_of_a_retry_reach_every_task(self) -> None:
        kept("a")
        kept("b")
        told = body(
            post(verb="retry", task_ids=["a", "b"], queue="other", countdown=60, force=True), 202
        )
        assert told["parameters"] == {"queue": "other", "countdown": 60.0, "force": True}
        assert told["counts"]["done"] == 2

    def test_a_broker_that_is_away_is_told_of_each_target(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object) -> None:
            raise ConnectionError("nobody there")

        monkeypatch.setattr(control, "send_bulk", refuse)
        remember(bulk_operations.INLINE + 1)
        told = body(post(verb="retry", filter="state:FAILURE"), 202)
        assert (told["state"], told["counts"]["failed"]) == ("finished", bulk_operations.INLINE + 1)

    def test_a_filter_that_finds_nothing_is_refused(self) -> None:
        told = problem(post(verb="retry", filter="state:FAILURE"), 409)
        assert told["detail"] == "Nothing to act on: no target was given."
        assert not Operation.objects.exists()

    def test_tasks_of_another_project_are_refused(self) -> None:
        remember(1, project="other")
        for given in ({"filter": "state:FAILURE"}, {"task_ids": ["FAILURE-00000"]}):
            told = problem(post(query="?project=other", verb="retry", **given), 409)
            assert told["detail"].startswith("Tasks of the project other are operated from there")
        assert not Operation.objects.exists()

    @override_settings(Z4J={"BULK_LIMIT": 3})
    def test_more_ids_than_the_limit_are_refused_with_the_limit(self) -> None:
        told = problem(post(verb="retry", task_ids=["a", "b", "c", "d"]), 400)
        [mistake] = told["errors"]
        assert mistake["name"] == "task_ids"
        assert mistake["reason"].startswith("At most 3 are taken at once")
        assert not Operation.objects.exists()

    @override_settings(Z4J={"BULK_LIMIT": 3})
    def test_more_matches_than_the_limit_are_capped_to_the_newest(self) -> None:
        remember(5)
        told = body(post(verb="retry", filter="state:FAILURE"), 202)
        assert (told["total"], told["parameters"]) == (3, {"capped": True})
        assert targets(told["id"]) == [f"FAILURE-0000{n}" for n in (2, 3, 4)]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "verb"),
        ({"task_ids": ["a"]}, "verb"),
        ({"verb": "purge_queue", "task_ids": ["a"]}, "verb"),
        ({"verb": None, "task_ids": ["a"]}, "verb"),
        ({"verb": ["retry"], "task_ids": ["a"]}, "verb"),
        ({"verb": "x" * 10_000}, "verb"),
        ({"verb": "retry"}, "filter"),
        ({"verb": "retry", "task_ids": ["a"], "filter": "state:FAILURE"}, "filter"),
        ({"verb": "retry", "task_ids": []}, "task_ids"),
        ({"verb": "retry", "task_ids": "a"}, "task_ids"),
        ({"verb": "retry", "task_ids": {"a": 1}}, "task_ids"),
        ({"verb": "retry", "task_ids": ["a", 5]}, "task_ids"),
        ({"verb": "retry", "task_ids": ["a", ""]}, "task_ids"),
        ({"verb": "retry", "task_ids": ["x" * 256]}, "task_ids"),
        ({"verb": "retry", "task_ids": None}, "task_ids"),
        ({"verb": "retry", "task_ids": ["a"], "until": 5}, "until"),
        ({"verb": "retry", "task_ids": ["a"], "asked_at": "2026-11-21T12:00:00Z"}, "asked_at"),
        ({"verb": "retry", "filter": "a", "until": -1}, "until"),
        ({"verb": "retry", "filter": "a", "until": "5"}, "until"),
        ({"verb": "retry", "filter": "a", "until": 2**63}, "until"),
        ({"verb": "retry", "filter": "a", "asked_at": "2026-11-21"}, "asked_at"),
        ({"verb": "retry", "filter": "a", "asked_at": 5}, "asked_at"),
        ({"verb": "retry", "filter": "a", "rate": 0}, "rate"),
        ({"verb": "retry", "filter": "a", "rate": 0.009}, "rate"),
        ({"verb": "retry", "filter": "a", "rate": 100_001}, "rate"),
        ({"verb": "retry", "filter": "a", "rate": "5"}, "rate"),
        ({"verb": "retry", "filter": "a", "args": [1]}, "args"),
        ({"verb": "retry", "filter": "a", "signal": "SIGTERM"}, "signal"),
        ({"verb": "retry", "filter": "a", "countdown": 1, "eta": "2026-11-21T12:00:00Z"}, "eta"),
        ({"verb": "cancel", "filter": "a", "queue": "mail"}, "queue"),
        ({"verb": "terminate", "filter": "a", "signal": "SIGSTOP"}, "signal"),
        ({"verb": "retry", "filter": "a", "project": "default"}, "project"),
    ],
)
def test_what_a_body_may_not_have_is_named(given: dict[str, Any], name: str) -> None:
    response = post(**given)
    assert [one["name"] for one in problem(response, 400)["errors"]] == [name]
    assert len(response.content) < 5_000
    assert not Operation.objects.exists()


@pytest.mark.parametrize("missing", ["run_bulk", "retry_task", "view_taskrecord"])
def test_many_at_once_want_the_permission_of_the_verb_too(missing: str) -> None:
    remember(1)
    user = User.objects.create_user("clerk")
    grant(user, *({"run_bulk", "retry_task", "view_taskrecord"} - {missing}))
    clerk = Client()
    clerk.force_login(user)
    given = json.dumps({"verb": "retry", "filter": "state:FAILURE"})
    told = problem(clerk.post(address("operations"), given, content_type="application/json"), 403)
    assert missing in told["detail"]
    assert not Operation.objects.exists()


class TestAborting:
    """``operations/{id}/abort/``."""

    def test_one_that_waits_is_over_at_once(self) -> None:
        remember(bulk_operations.INLINE + 1)
        waiting = body(post(verb="retry", filter="state:FAILURE"), 202)
        response = post(waiting["id"], "abort")
        told = body(response, 202)
        assert response.headers["Location"] == told["url"] == waiting["url"]
        assert (told["state"], told["abort_requested"]) == ("aborted", True)
        assert told["counts"]["pending"] == bulk_operations.INLINE + 1
        assert Operation.objects.count() == 1

    def test_one_that_is_over_is_refused(self) -> None:
        number = operation("retry").pk
        told = problem(post(number, "abort"), 409)
        assert told["detail"] == f"Operation {number} is finished; it can't be aborted."

    @pytest.mark.parametrize(
        "number", ["4711", "0", str(2**63 - 1), str(2**63), "9" * 30, "a", "-1"]
    )
    def test_one_that_is_not_there_is_a_404(self, number: str) -> None:
        problem(post(number, "abort"), 404)

    def test_it_wants_the_permission_of_what_the_operation_does(self, monkeypatch: Any) -> None:
        pretence: Pretence = pretend(monkeypatch)
        purge = operation("purge_queue", ("mail",), state="running", finished_at=None)
        told = problem(post(purge.pk, "abort"), 403)
        assert "purge_queue" in told["detail"]
        assert pretence.calls == []

    def test_another_projects_is_aborted_from_there(self) -> None:
        running = operation("retry", state="running", finished_at=None, project="other")
        assert "other" in problem(post(running.pk, "abort"), 409)["detail"]
        running.refresh_from_db()
        assert not running.abort_requested

    def test_it_takes_no_options(self) -> None:
        running = operation("retry", state="running", finished_at=None)
        told = problem(post(running.pk, "abort", force=True), 400)
        assert [one["name"] for one in told["errors"]] == ["force"]
        assert not Operation.objects.get().abort_requested
