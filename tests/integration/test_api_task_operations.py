"""Retry, cancel and terminate by the API: what is done, what is refused, what the trail says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration import operators
from tests.integration.api_client import address, body, client, problem
from tests.integration.operators import Pretence, kept
from tests.integration.test_tasks import published
from z4j_django.api.parsers import BODY_LIMIT
from z4j_django.models import Operation, TaskRecord
from z4j_django.secrets.masking import MASK

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A queue of the test's own, of a broker in this process."""
    operators.broker_in_memory(monkeypatch)
    return f"mail-{request.node.name}"[:100]


def post(task_id: str, verb: str, given: Any = None, query: str = "") -> Any:
    data = None if given is None else json.dumps(given)
    where = address("tasks", task_id, verb) + query
    return client("z4j operator").post(where, data, content_type="application/json")


class TestRetry:
    """``tasks/{task_id}/retry/``."""

    def test_it_is_published_again_and_the_answer_says_under_which_id(self, queue: str) -> None:
        kept("old", 1, queue=queue)
        response = post("old", "retry")
        told = body(response, 202)
        assert response.headers["Location"] == told["url"]
        assert (told["verb"], told["state"], told["surface"]) == ("retry", "finished", "api")
        assert (told["actor"], told["total"], told["counts"]["done"]) == ("api-z4j-operator", 1, 1)
        [target] = told["targets"]
        assert (target["target"], target["outcome"]) == ("old", "done")
        [message] = published(queue)
        assert message.headers["id"] == target["result_id"]
        operation = Operation.objects.get()
        assert (operation.pk, operation.surface, operation.actor) == (
            *(told["id"], "api"),
            "api-z4j-operator",
        )

    def test_what_the_answer_points_to_says_the_same(self, queue: str) -> None:
        kept("old", queue=queue)
        response = post("old", "retry")
        found = client("z4j operator").get(response.headers["Location"])
        assert body(found) == response.json()

    def test_it_takes_every_option(self, queue: str) -> None:
        kept("old", 1, queue="elsewhere")
        eta = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
        options = {
            "args": [2],
            "kwargs": {"note": "é"},
            "queue": queue,
            "eta": eta.isoformat(),
            "expires": 7200,
            "force": True,
            "keep_ids": True,
        }
        told = body(post("old", "retry", options), 202)
        assert told["targets"][0]["outcome"] == "done", told
        [message] = published(queue)
        assert message.headers["eta"] == eta.isoformat()
        assert message.headers["expires"] > eta.isoformat()
        assert json.loads(message.body)[:2] == [[2], {"note": "é"}]

    def test_a_countdown_is_counted_from_now(self, queue: str) -> None:
        kept("old", queue=queue)
        before = timezone.now()
        body(post("old", "retry", {"countdown": 90.5}), 202)
        [message] = published(queue)
        assert message.headers["eta"] > (before + timedelta(seconds=90)).isoformat()

    def test_a_refusal_is_a_409_with_its_reason_and_its_record(self, queue: str) -> None:
        kept("old", queue=queue, state="STARTED", worker="w1")
        told = problem(post("old", "retry"), 409)
        assert told["type"] == "urn:z4j:refused"
        assert told["detail"].startswith("It is STARTED on w1: it has not ended")
        operation = Operation.objects.get()
        assert told["operation"]["id"] == operation.pk
        assert told["instance"] == told["operation"]["url"]
        assert told["operation"]["counts"]["refused"] == 1
        assert (operation.surface, operation.refused) == ("api", 1)
        assert published(queue) == []

    def test_one_that_was_retried_before_is_refused_and_done_with_force(self, queue: str) -> None:
        kept("old", queue=queue)
        assert post("old", "retry").status_code == 202
        assert post("old", "retry").status_code == 409
        assert post("old", "retry", {"force": True}).status_code == 202
        assert len(published(queue)) == 2

    def test_a_broker_that_is_away_is_no_error_of_the_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = operators.broker_in_memory(monkeypatch)
        app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
        kept("old")
        told = body(post("old", "retry"), 202)
        assert told["counts"]["failed"] == 1
        assert "secret" not in json.dumps(told)

    def test_a_project_without_an_app_is_a_503(self, settings: Any) -> None:
        settings.CELERY_APP = "nowhere:app"
        kept("old")
        told = problem(post("old", "retry"), 503)
        assert told["type"] == "urn:z4j:unavailable"
        assert not Operation.objects.exists()

    def test_an_id_with_slashes_is_found(self, queue: str) -> None:
        kept("a/b/retry", queue=queue)
        told = body(post("a/b/retry", "retry"), 202)
        assert told["targets"][0]["target"] == "a/b/retry"

    def test_arguments_are_redacted_in_the_answer_and_sent_as_they_are(self, queue: str) -> None:
        kept("old", queue=queue)
        told = body(post("old", "retry", {"kwargs": {"password": "hunter2"}}), 202)
        assert told["parameters"]["kwargs"] == {"password": MASK}
        [message] = published(queue)
        assert json.loads(message.body)[1] == {"password": "hunter2"}


class TestBodies:
    """What a body may not have: each mistake is named, and nothing is done."""

    @pytest.mark.parametrize(
        ("given", "name", "reason"),
        [
            ({"countdown": "5"}, "countdown", "This has to be a number from 0 to 31,622,400."),
            ({"countdown": None}, "countdown", "This has to be a number from 0 to 31,622,400."),
            ({"eta": "2026-11-21T12:00:00"}, "eta", "This has to be a moment with its offset"),
            ({"eta": "2026-11-21T12:00:00Z", "countdown": 1}, "eta", "not both"),
            ({"queue": "é" * 128}, "queue", "at most 255 bytes"),
            ({"args": [{"card": MASK}]}, "args", "The value at [0].card is masked or cut"),
            ({"signal": "SIGTERM"}, "signal", "There is no such option; those that there are: "),
            ({"actor": "somebody"}, "actor", "There is no such option"),
            ({"surface": "python"}, "surface", "There is no such option"),
            ({"project": "other"}, "project", "There is no such option"),
        ],
    )
    def test_a_retrys(
        self, pretence: Pretence, given: dict[str, Any], name: str, reason: str
    ) -> None:
        kept("old")
        told = problem(post("old", "retry", given), 400)
        assert told["type"] == "urn:z4j:validation"
        [mistake] = told["errors"]
        assert mistake["name"] == name
        assert reason in mistake["reason"]
        assert pretence.calls == []

    @pytest.mark.parametrize("name", ["eta", "expires"])
    @pytest.mark.parametrize("moment", ["3026-11-21T12:00:00Z", "9999-12-31T23:59:59-14:00"])
    def test_a_moment_that_is_too_far_off_is_refused(
        self, pretence: Pretence, name: str, moment: str
    ) -> None:
        kept("old")
        told = problem(post("old", "retry", {name: moment}), 409)
        assert told["detail"].startswith(f"{name}: ")
        assert told["detail"].endswith(" is more than a year ahead.")
        assert pretence.calls == []

    @pytest.mark.parametrize("moment", ["2001-01-01t00:00:00z", "0001-01-01T00:00:00+14:00"])
    def test_one_that_is_over_may_be_given(self, pretence: Pretence, moment: str) -> None:
        kept("old")
        assert post("old", "retry", {"eta": moment, "expires": moment}).status_code == 202
        assert pretence.calls[0][2]["eta"] < timezone.now()

    @pytest.mark.parametrize("signal", ["TERM", "sigterm", "SIGSTOP", "", 15, None, ["SIGTERM"]])
    def test_a_terminates_signal(self, pretence: Pretence, signal: Any) -> None:
        kept("old", state="STARTED")
        told = problem(post("old", "terminate", {"signal": signal}), 400)
        assert [one["name"] for one in told["errors"]] == ["signal"]
        assert pretence.calls == []

    @pytest.mark.parametrize(
        "raw",
        [
            *("{", "[]", '"x"', "5", "null", "[" * 50_000, '{"countdown": NaN}'),
            *('{"countdown": Infinity}', '{"args": [1e999]}', '{"args": ["\\u0000"]}'),
            *('{"args": ["\\ud800"]}', '{"force": true, "force": false}'),
            '{"args": ' + "[" * 40 + "]" * 40 + "}",
            '{"countdown": ' + "9" * 5_000 + "}",
        ],
    )
    @pytest.mark.parametrize("verb", ["retry", "cancel", "terminate"])
    def test_what_is_no_object_of_json(self, pretence: Pretence, verb: str, raw: str) -> None:
        kept("old")
        where = address("tasks", "old", verb)
        response = client("z4j operator").post(where, raw, content_type="application/json")
        problem(response, 400)
        assert pretence.calls == []

    def test_a_body_may_be_left_out(self, pretence: Pretence) -> None:
        kept("old")
        for verb in ("retry", "cancel", "terminate"):
            for media_type in ("application/json", "application/x-www-form-urlencoded", ""):
                response = client("z4j operator").generic(
                    "POST", address("tasks", "old", verb), b"", content_type=media_type
                )
                assert response.status_code == 202, (verb, media_type, response.content)
        assert len(pretence.calls) == 9

    def test_another_media_type_is_a_415(self, pretence: Pretence) -> None:
        kept("old")
        where = address("tasks", "old", "retry")
        response = client("z4j operator").post(where, {"force": "true"})
        problem(response, 415)
        assert pretence.calls == []

    def test_a_body_that_is_too_large_is_a_413(self, pretence: Pretence) -> None:
        kept("old")
        problem(post("old", "retry", {"args": ["x" * BODY_LIMIT]}), 413)
        assert pretence.calls == []

    def test_unknown_members_are_named_and_cut(self, pretence: Pretence) -> None:
        kept("old")
        given = {f"{n}{'x' * 1_000}": n for n in range(900)}
        response = post("old", "cancel", given)
        assert len(problem(response, 400)["errors"]) == 20
        assert len(response.content) < 10_000

    def test_an_unknown_parameter_of_the_query_is_named(self, pretence: Pretence) -> None:
        kept("old")
        told = problem(post("old", "retry", query="?force=true"), 400)
        assert [one["name"] for one in told["errors"]] == ["force"]
        assert pretence.calls == []


class TestTargets:
    """Which task is meant."""

    @pytest.mark.parametrize("verb", ["retry", "cancel", "terminate"])
    @pytest.mark.parametrize("task_id", ["unknown", "a\0b", "x" * 256, " old", "old "])
    def test_one_that_is_not_on_record_is_a_404_and_no_operation(
        self, queue: str, verb: str, task_id: str
    ) -> None:
        kept("old", queue=queue)
        told = problem(post(task_id, verb), 404)
        assert told["detail"] == "There is no task of this id on record."
        assert not Operation.objects.exists()

    def test_one_of_another_project_is_refused(self, queue: str) -> None:
        kept("old", queue=queue, project="other")
        assert post("old", "retry").status_code == 404
        told = problem(post("old", "retry", query="?project=other"), 409)
        assert told["detail"].startswith("Tasks of the project other are operated from there")
        assert "operation" not in told
        assert not Operation.objects.exists()


class TestStopping:
    """``cancel/`` and ``terminate/``."""

    @pytest.mark.parametrize("verb", ["cancel", "terminate"])
    def test_one_that_has_ended_is_refused(self, queue: str, verb: str) -> None:
        kept("old", queue=queue)
        told = problem(post("old", verb), 409)
        assert told["detail"] == "It is FAILURE already."
        assert told["operation"]["verb"] == verb

    def test_workers_that_do_not_answer_are_told_as_unknown(
        self, queue: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("z4j_django.operations.revoking.TIMEOUT", 0.05)
        kept("old", queue=queue, state="RECEIVED")
        told = body(post("old", "cancel"), 202)
        assert (told["counts"]["unknown"], told["targets"][0]["outcome"]) == (1, "unknown")

    def test_the_signal_reaches_the_operation(self, pretence: Pretence) -> None:
        TaskRecord.objects.create(task_id="old", state="STARTED")
        assert post("old", "terminate", {"signal": "SIGKILL"}).status_code == 202
        [(verb, targets, given)] = pretence.calls
        assert (verb, targets, given["signal"]) == ("terminate", ["old"], "SIGKILL")
