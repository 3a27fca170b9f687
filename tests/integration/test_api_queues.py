"""Queues over the API: what the broker tells in time, and what stands where it does not."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

import celery
import pytest
from kombu import Connection

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.mailbox import QUEUE, Publish
from tests.integration.operators import Pretence
from tests.integration.pages import task
from z4j_django import broker
from z4j_django.control import queue_depths
from z4j_django.models import WorkerRecord
from z4j_django.queries import queues

pytestmark = pytest.mark.django_db

QUEUES = address("queues")
MAIL = address("queues", QUEUE)


def test_each_queue_on_record_has_its_depth(mail_app: celery.Celery, publish: Publish) -> None:
    publish(1, 2, 3)
    task("a", queue=QUEUE)
    task("b", queue="empty")
    assert body(client().get(QUEUES)) == {
        "results": [
            {
                "url": f"http://testserver/z4j/api/queues/{name}/",
                "name": name,
                "depth": depth,
                "known": True,
                "paused": None,
                "tasks_url": f"http://testserver/z4j/api/tasks/?queue={name}",
            }
            for name, depth in (("empty", 0), (QUEUE, 3))
        ],
        "more": False,
    }
    assert body(client().get(MAIL))["depth"] == 3
    assert nouns.listed(body(client().get(MAIL))["tasks_url"], "task_id") == ["a"]


def test_a_queue_in_which_messages_wait_need_not_be_on_record(
    mail_app: celery.Celery, publish: Publish
) -> None:
    problem(client().get(MAIL), 404)
    publish(1)
    assert body(client().get(MAIL))["depth"] == 1


def test_a_queue_that_a_worker_consumes_is_listed_before_any_task_is_sent_to_it(
    pretence: Pretence,
) -> None:
    WorkerRecord.objects.create(hostname="w1", online=True, queues=["unused", "used", "", 7])
    WorkerRecord.objects.create(hostname="w2", online=False, queues=["given up"])
    WorkerRecord.objects.create(hostname="w3", online=True, queues={"odd": 1})
    task("a", queue="used")
    asks = client()
    found = body(asks.get(QUEUES))["results"]
    assert [one["name"] for one in found] == ["unused", "used"]
    pretence.depth = 0
    assert body(asks.get(address("queues", "unused")))["depth"] == 0
    problem(asks.get(address("queues", "given up")), 404)


def test_a_broker_that_is_away_makes_the_depth_unknown(mail_app: celery.Celery) -> None:
    mail_app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    task("a", queue=QUEUE)
    response = client().get(QUEUES)
    [queue] = body(response)["results"]
    assert (queue["depth"], queue["known"]) == (None, False)
    assert b"secret" not in response.content
    assert body(client().get(MAIL))["known"] is False


def test_a_silent_broker_is_waited_for_once_and_not_for_each_queue(monkeypatch) -> None:
    asked: list[str] = []
    over = threading.Event()

    def silent(name: str) -> None:
        asked.append(name)
        over.wait(60)

    monkeypatch.setattr(queue_depths, "counting", lambda: nullcontext(silent))
    monkeypatch.setattr(queue_depths, "TIMEOUT", 0.05)
    for number in range(5):
        task(str(number), queue=f"q{number}")
    try:
        found = body(client().get(QUEUES))["results"]
    finally:
        over.set()
    assert [(one["name"], one["depth"], one["known"]) for one in found] == [
        (f"q{number}", None, False) for number in range(5)
    ]
    assert asked == ["q0"]


def test_a_depth_that_is_told_stands_though_the_next_one_is_not(monkeypatch) -> None:
    over = threading.Event()

    def slow(name: str) -> int:
        if name != "a":
            over.wait(60)
        return 7

    monkeypatch.setattr(queue_depths, "counting", lambda: nullcontext(slow))
    try:
        assert queue_depths.count_many(["a", "b", "c"], 0.2) == {"a": 7, "b": None, "c": None}
    finally:
        over.set()


def test_all_are_asked_over_one_connection(mail_app: celery.Celery, monkeypatch) -> None:
    made: list[Connection] = []
    opened = broker.opened

    def once(connection: Connection, seconds: float) -> AbstractContextManager[Connection]:
        made.append(connection)
        return opened(connection, seconds)

    monkeypatch.setattr(broker, "opened", once)
    assert queue_depths.count_many(["a", "b", "c"]) == {"a": 0, "b": 0, "c": 0}
    assert len(made) == 1


def test_of_many_queues_the_first_are_listed(pretence: Pretence, monkeypatch) -> None:
    monkeypatch.setattr(queues, "LIMIT", 2)
    for name in ("c", "a"):
        task(name, queue=name)
    WorkerRecord.objects.create(hostname="w1", online=True, queues=["b"])
    found = body(client().get(QUEUES))
    assert ([one["name"] for one in found["results"]], found["more"]) == (["a", "b"], True)


def test_queues_are_found_in_one_query_of_tasks_workers_and_pauses_each(
    pretence: Pretence,
) -> None:
    for number in range(20):
        task(str(number), queue=f"q{number}")
    assert len(nouns.reads(QUEUES)) == 3
    assert len(nouns.reads(address("queues", "q3"))) <= 2


@pytest.mark.parametrize("name", nouns.HOSTILE)
def test_a_name_is_only_text(pretence: Pretence, name: str) -> None:
    asks = client()
    task("a", queue=name)
    [queue] = body(asks.get(QUEUES))["results"]
    assert queue["name"] == name
    assert body(asks.get(queue["url"])) == {**queue, "samples": []}
    assert body(asks.get(address("queues", name))) == {**queue, "samples": []}
    assert nouns.listed(queue["tasks_url"], "task_id", asks) == ["a"]


@pytest.mark.parametrize("name", ["nobody", "x" * 300, "a\0b"])
def test_of_any_other_name_there_is_none(pretence: Pretence, name: str) -> None:
    pretence.depth = None
    problem(client().get(address("queues", name)), 404)


def test_what_is_no_parameter_is_told(pretence: Pretence) -> None:
    task("a", queue=QUEUE)
    for where in (QUEUES, MAIL):
        told = problem(client().get(where, {"limit": 3}), 400)
        assert [one["name"] for one in told["errors"]] == ["limit"]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("where", [QUEUES, MAIL])
def test_viewers_may_look(pretence: Pretence, who: str, where: str) -> None:
    task("a", queue=QUEUE)
    assert client(who).get(where).status_code == nouns.SEEN_BY[who]


@pytest.mark.parametrize("where", [QUEUES, MAIL])
def test_the_permission_is_that_of_the_admins_page(pretence: Pretence, where: str) -> None:
    assert nouns.holder("view_operation").get(where).status_code == 200
    told = problem(nouns.holder("view_taskrecord", "purge_queue").get(where), 403)
    assert "z4j_django.view_operation" in told["detail"]
