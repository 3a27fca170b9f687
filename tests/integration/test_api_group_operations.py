"""Groups and chords that are run again by the API."""

from __future__ import annotations

import json
from typing import Any

import celery
import pytest

from tests.integration.api_client import address, body, client, problem
from tests.integration.chords import Sent, published
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db


def post(group_id: str, given: Any = None, query: str = "") -> Any:
    data = None if given is None else json.dumps(given)
    where = address("groups", group_id, "retry") + query
    return client("z4j operator").post(where, data, content_type="application/json")


def test_what_failed_runs_again_and_the_rest_is_replayed(
    sent: Sent, chord_app: celery.Celery
) -> None:
    response = post(sent.id, {"members": "failed"})
    told = body(response, 202)
    assert response.headers["Location"] == told["url"]
    assert (told["verb"], told["state"], told["total"]) == ("retry_group", "finished", 3)
    assert [target["target"] for target in told["targets"]] == sent.members
    assert told["parameters"]["group_id"] == sent.id
    operation = Operation.objects.get()
    assert (operation.surface, operation.actor, operation.done) == ("api", "api-z4j-operator", 3)
    assert len(list(published(chord_app))) == 3


def test_without_a_body_all_of_it_runs(sent: Sent, chord_app: celery.Celery) -> None:
    told = body(post(sent.id), 202)
    assert told["parameters"]["members"] == "all"
    assert [name for name, _ in published(chord_app)] == ["pay", "pay", "pay"]


def test_the_body_keeps_its_id_where_that_is_asked_for(
    sent: Sent, chord_app: celery.Celery
) -> None:
    told = body(post(sent.id, {"members": "failed", "keep_ids": True}), 202)
    assert told["parameters"]["new_body_id"] == sent.body


def test_a_group_that_can_not_run_again_is_refused_and_leaves_no_operation(
    sent: Sent, chord_app: celery.Celery
) -> None:
    sent.turn(0, state="STARTED", worker="w1")
    told = problem(post(sent.id, {"members": "all"}), 409)
    assert told["type"] == "urn:z4j:refused"
    assert "have not ended" in told["detail"]
    assert "operation" not in told
    assert not Operation.objects.exists()
    assert list(published(chord_app)) == []
    assert post(sent.id, {"members": "all", "force": True}).status_code == 202


def test_a_broker_that_is_away_is_a_refusal_that_says_so(
    sent: Sent, chord_app: celery.Celery
) -> None:
    chord_app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    told = problem(post(sent.id), 409)
    assert told["detail"].startswith("The broker does not answer, nothing was published:")
    assert "secret" not in told["detail"]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"members": "some"}, "members"),
        ({"members": None}, "members"),
        ({"members": ["all"]}, "members"),
        ({"force": "yes"}, "force"),
        ({"keep_ids": 0}, "keep_ids"),
        ({"queue": "mail"}, "queue"),
    ],
)
def test_what_a_body_may_not_have_is_named(sent: Sent, given: dict[str, Any], name: str) -> None:
    told = problem(post(sent.id, given), 400)
    assert [one["name"] for one in told["errors"]] == [name]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("group_id", ["unknown", "a\0b", "x" * 256, " "])
def test_one_that_is_not_on_record_is_a_404(sent: Sent, group_id: str) -> None:
    told = problem(post(group_id), 404)
    assert told["detail"] == "There is no group of this id on record."
    assert not Operation.objects.exists()


def test_one_of_another_project_is_not_on_record_in_this(sent: Sent) -> None:
    problem(post(sent.id, query="?project=other"), 404)
    told = problem(post(sent.id, query=f"?project={'x' * 65}"), 400)
    assert [one["name"] for one in told["errors"]] == ["project"]
    assert not Operation.objects.exists()
