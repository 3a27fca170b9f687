"""Queues that are purged and restored by the API."""

from __future__ import annotations

import json
from typing import Any

import celery
import pytest

from tests.integration.api_client import address, body, client, problem
from tests.integration.mailbox import QUEUE, Publish
from tests.integration.operators import operation
from z4j_django import operations, wiring
from z4j_django.exceptions import DiscoveryError
from z4j_django.models import Operation, SavedMessage

pytestmark = pytest.mark.django_db


def post(name: str, verb: str, given: Any = None, query: str = "") -> Any:
    data = None if given is None else json.dumps(given)
    where = address("queues", name, verb) + query
    return client("z4j admin").post(where, data, content_type="application/json")


def purge(name: str = QUEUE) -> Any:
    return body(post(name, "purge", {"confirm": name}), 202)


def test_a_purge_answers_with_each_task_that_it_removed(publish: Publish) -> None:
    publish(1, 2, 3)
    response = post(QUEUE, "purge", {"confirm": QUEUE})
    told = body(response, 202)
    assert response.headers["Location"] == told["url"]
    assert (told["verb"], told["state"], told["counts"]["done"]) == ("purge_queue", "finished", 4)
    assert [(target["kind"], target["target"]) for target in told["targets"]] == [
        ("queue", QUEUE),
        *(("task", f"task-{number}") for number in (1, 2, 3)),
    ]
    purged = Operation.objects.get()
    assert (purged.pk, purged.surface, purged.actor) == (told["id"], "api", "api-z4j-admin")
    assert operations.count_messages(QUEUE) == 0


def test_what_was_purged_comes_back(publish: Publish) -> None:
    publish(1, 2, 3)
    number = purge()["id"]
    response = post(QUEUE, "restore", {"operation": number})
    told = body(response, 202)
    assert response.headers["Location"] == told["url"]
    assert (told["verb"], told["counts"]["done"]) == ("restore", 4)
    assert told["targets"][0]["reason"] == "All 3 messages were put back."
    restored = Operation.objects.get(verb="restore")
    assert (restored.surface, restored.actor) == ("api", "api-z4j-admin")
    assert operations.count_messages(QUEUE) == 3
    again = problem(post(QUEUE, "restore", {"operation": number}), 409)
    assert again["detail"].startswith("All 3 messages were restored, the last by operation")
    assert Operation.objects.count() == 2


@pytest.mark.parametrize("confirm", ["Mail", "mail ", " mail", "other"])
def test_a_name_that_is_not_typed_back_purges_nothing(publish: Publish, confirm: str) -> None:
    publish(1)
    told = problem(post(QUEUE, "purge", {"confirm": confirm}), 409)
    assert "must be typed back" in told["detail"]
    assert operations.count_messages(QUEUE) == 1
    assert not Operation.objects.exists()


@pytest.mark.parametrize("given", [None, {}, {"confirm": None}, {"confirm": 5}, {"confirm": ""}])
def test_without_a_name_nothing_is_purged(publish: Publish, given: Any) -> None:
    publish(1)
    told = problem(post(QUEUE, "purge", given), 400)
    assert [one["name"] for one in told["errors"]] == ["confirm"]
    assert operations.count_messages(QUEUE) == 1
    assert not Operation.objects.exists()


def test_an_empty_queue_is_refused(mail_app: celery.Celery) -> None:
    told = problem(post(QUEUE, "purge", {"confirm": QUEUE}), 409)
    assert "empty, or there is none of that name" in told["detail"]
    assert not Operation.objects.exists()


def test_a_queue_of_any_name_can_be_asked_for(mail_app: celery.Celery) -> None:
    for name in ("a/b", "a b", "é", "purge/", "x" * 255):
        problem(post(name, "purge", {"confirm": name}), 409)
    for name in ("x" * 256, "a\0b"):
        problem(post(name, "purge", {"confirm": name}), 400)


def test_a_broker_that_does_not_answer_is_told_without_its_password(
    mail_app: celery.Celery,
) -> None:
    mail_app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    told = problem(post(QUEUE, "purge", {"confirm": QUEUE}), 409)
    assert "can't be counted" in told["detail"]
    assert "secret" not in told["detail"]
    assert not Operation.objects.exists()


def test_only_a_purge_of_this_queue_is_restored(publish: Publish) -> None:
    publish(1)
    number = purge()["id"]
    other = operation("retry", ("a",), actor="alice").pk
    there = operation("retry", ("a",), actor="alice", parameters={"queue": QUEUE}).pk
    cases = [("other", number), *((QUEUE, one) for one in (other, there, 4711, 2**63 - 2))]
    for name, given in cases:
        told = problem(post(name, "restore", {"operation": given}), 409)
        assert told["detail"] == f"Operation {given} is no purge or move of this queue."
    assert SavedMessage.objects.filter(restored_at=None).count() == 1
    assert not Operation.objects.filter(verb="restore").exists()


@pytest.mark.parametrize("number", ["1", 0, -1, 1.5, True, None, [1], 2**63, 10**40])
def test_what_is_no_number_of_an_operation_is_named(mail_app: celery.Celery, number: Any) -> None:
    told = problem(post(QUEUE, "restore", {"operation": number}), 400)
    assert [one["name"] for one in told["errors"]] == ["operation"]


def test_a_purge_that_left_something_says_so_with_what_it_did(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise ValueError("this one can't be kept")

    publish(1)
    monkeypatch.setattr("z4j_django.secrets.sealing.seal", refuse)
    told = problem(post(QUEUE, "purge", {"confirm": QUEUE}), 409)
    assert told["detail"].startswith("0 of 1 messages were saved and removed.")
    assert told["operation"]["counts"]["refused"] == 1
    assert Operation.objects.get().pk == told["operation"]["id"]


def test_without_the_celery_app_nothing_is_begun(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)
    number = purge()["id"]

    def find() -> Any:
        raise DiscoveryError("CELERY_APP names none.")

    monkeypatch.setattr(wiring, "find_celery_app", find)
    problem(post(QUEUE, "restore", {"operation": number}), 503)
    assert Operation.objects.count() == 1


def test_these_take_no_project(mail_app: celery.Celery) -> None:
    told = problem(post(QUEUE, "purge", {"confirm": QUEUE}, "?project=default"), 400)
    assert [one["name"] for one in told["errors"]] == ["project"]
