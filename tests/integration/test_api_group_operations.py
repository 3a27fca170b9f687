"""Groups and chords that are run again by the API."""

from __future__ import annotations

import json
from typing import Any

import celery
import pytest

from tests.integration import chords
from tests.integration.api_client import address, body, client, problem
from tests.integration.chords import Sent, published
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    """The project's app, in this process."""
    return chords.make_app(monkeypatch)


@pytest.fixture
def chord(app: celery.Celery) -> Sent:
    """A chord of three, whose member 1 has failed."""
    return chords.chord_of_three(app)


def post(group_id: str, given: Any = None, query: str = "") -> Any:
    data = None if given is None else json.dumps(given)
    where = address("groups", group_id, "retry") + query
    return client("z4j operator").post(where, data, content_type="application/json")


def test_what_failed_runs_again_and_the_rest_is_replayed(chord: Sent, app: celery.Celery) -> None:
    response = post(chord.id, {"members": "failed"})
    told = body(response, 202)
    assert response.headers["Location"] == told["url"]
    assert (told["verb"], told["state"], told["total"]) == ("retry_group", "finished", 3)
    assert [target["target"] for target in told["targets"]] == chord.members
    assert told["parameters"]["group_id"] == chord.id
    operation = Operation.objects.get()
    assert (operation.surface, operation.actor, operation.done) == ("api", "api-z4j-operator", 3)
    assert len(list(published(app))) == 3


def test_without_a_body_all_of_it_runs(chord: Sent, app: celery.Celery) -> None:
    told = body(post(chord.id), 202)
    assert told["parameters"]["members"] == "all"
    assert [name for name, _ in published(app)] == ["pay", "pay", "pay"]


def test_the_body_keeps_its_id_where_that_is_asked_for(chord: Sent, app: celery.Celery) -> None:
    told = body(post(chord.id, {"members": "failed", "keep_ids": True}), 202)
    assert told["parameters"]["new_body_id"] == chord.body


def test_a_group_that_can_not_run_again_is_refused_and_leaves_no_operation(
    chord: Sent, app: celery.Celery
) -> None:
    chord.turn(0, state="STARTED", worker="w1")
    told = problem(post(chord.id, {"members": "all"}), 409)
    assert told["type"] == "urn:z4j:refused"
    assert "have not ended" in told["detail"]
    assert "operation" not in told
    assert not Operation.objects.exists()
    assert list(published(app)) == []
    assert post(chord.id, {"members": "all", "force": True}).status_code == 202


def test_a_broker_that_is_away_is_a_refusal_that_says_so(chord: Sent, app: celery.Celery) -> None:
    app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    told = problem(post(chord.id), 409)
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
def test_what_a_body_may_not_have_is_named(chord: Sent, given: dict[str, Any], name: str) -> None:
    told = problem(post(chord.id, given), 400)
    assert [one["name"] for one in told["errors"]] == [name]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("group_id", ["unknown", "a\0b", "x" * 256, " "])
def test_one_that_is_not_on_record_is_a_404(chord: Sent, group_id: str) -> None:
    told = problem(post(group_id), 404)
    assert told["detail"] == "There is no group of this id on record."
    assert not Operation.objects.exists()


def test_one_of_another_project_is_not_on_record_in_this(chord: Sent) -> None:
    problem(post(chord.id, query="?project=other"), 404)
    told = problem(post(chord.id, query=f"?project={'x' * 65}"), 400)
    assert [one["name"] for one in told["errors"]] == ["project"]
    assert not Operation.objects.exists()
