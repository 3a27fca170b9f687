"""Pausing and resuming: what is refused, kept, shown, and told by conditions."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import celery
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from tests.integration.api_client import address, body, client, problem
from z4j_django import broadcasts, operations
from z4j_django.conditions import (
    paused_queue_consumed,
    queue_backing_up,
    queue_without_consumer,
    worker_not_consuming,
)
from z4j_django.conditions.scene import Scene
from z4j_django.control import starting
from z4j_django.exceptions import OperationError
from z4j_django.models import (
    Operation,
    PausedConsumer,
    PausedQueue,
    QueueSample,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.watch import pausing as watch

pytestmark = pytest.mark.django_db
QUEUE = "mail"


class Workers:
    """Workers that answer remote control, and remember what they take from."""

    def __init__(self) -> None:
        self.taking: dict[str, set[str]] = {"w1": {QUEUE, "other"}, "w2": {QUEUE}}
        self.silent: set[str] = set()
        self.deaf: set[str] = set()

    def ask(
        self,
        connection: Any,
        mailbox: Any,
        command: str,
        arguments: dict[str, str],
        *,
        only: list[str] | None = None,
        **how: Any,
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for hostname in only or self.taking:
            mine = self.taking[hostname]
            if command == "active_queues" and hostname in self.deaf:
                continue
            if command == "active_queues":
                found[hostname] = [{"name": name} for name in sorted(mine)]
            elif hostname not in self.silent:
                (mine.discard if command == "cancel_consumer" else mine.add)(arguments["queue"])
                found[hostname] = {"ok": "so be it"}
        return found


@pytest.fixture
def workers(mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> Workers:
    made = Workers()
    monkeypatch.setattr(broadcasts, "ask", made.ask)
    WorkerRecord.objects.bulk_create(
        WorkerRecord(hostname=name, online=True, last_seen=timezone.now(), queues=sorted(queues))
        for name, queues in made.taking.items()
    )
    return made


def pause(**options: Any) -> Operation:
    return operations.pause_queue(QUEUE, **{"actor": "alice", **options})


def resume(**options: Any) -> Operation:
    return operations.resume_queue(QUEUE, **{"actor": "bob", **options})


def reasons(operation: Operation) -> list[tuple[str, str, str]]:
    targets = operation.targets.order_by("position")
    return list(targets.values_list("target", "outcome", "reason"))


def test_workers_that_took_from_it_stop_and_begin_again(workers: Workers) -> None:
    paused = pause(reason="password=hunter2 leaked")
    assert reasons(paused) == [
        (QUEUE, "done", "2 workers stopped taking from it."),
        ("w1", "done", "It takes nothing from it any more."),
        ("w2", "done", "It takes nothing from it any more."),
    ]
    assert workers.taking == {"w1": {"other"}, "w2": set()}
    row = PausedQueue.objects.get()
    assert (row.queue, row.paused_by, row.until) == (QUEUE, "alice", None)
    assert "hunter2" not in row.reason
    assert "hunter2" not in str(paused.parameters)

    resumed = resume()
    assert reasons(resumed)[0] == (QUEUE, "done", "2 workers take from it again.")
    assert workers.taking == {"w1": {QUEUE, "other"}, "w2": {QUEUE}}
    assert not PausedQueue.objects.exists()
    with pytest.raises(OperationError, match="is not paused"):
        resume()


def test_one_that_is_paused_already_says_so_and_takes_the_new_words(workers: Workers) -> None:
    pause(reason="one")
    since = PausedQueue.objects.get().since
    again = pause(actor="bob", reason="two")
    assert reasons(again)[0][2].startswith("It was paused already, by alice. ")
    row = PausedQueue.objects.get()
    assert (row.paused_by, row.reason, row.since) == ("bob", "two", since)
    resume()
    assert workers.taking["w2"] == {QUEUE}


def test_who_does_not_answer_is_unknown_and_told_again(workers: Workers) -> None:
    workers.silent = {"w2"}
    paused = pause()
    assert [one[:2] for one in reasons(paused)] == [
        (QUEUE, "done"),
        ("w1", "done"),
        ("w2", "unknown"),
    ]
    assert PausedConsumer.objects.get(consumes=True).hostname == "w2"
    workers.silent = set()
    watch.look_after("default")
    assert workers.taking["w2"] == set()
    assert not PausedConsumer.objects.filter(consumes=True).exists()

    workers.silent = {"w1"}
    resumed = resume()
    assert [one[:2] for one in reasons(resumed)][1:] == [("w1", "unknown"), ("w2", "done")]
    workers.silent = set()
    watch.look_after("default")
    assert workers.taking["w1"] == {"other", QUEUE}
    assert not PausedQueue.objects.exists()


def test_who_hangs_keeps_nobody_from_being_told(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several queues, all the time there is would go by while it does not answer."""
    monkeypatch.setattr(watch, "TIMEOUT", 1.0)
    monkeypatch.setattr(watch, "ANSWER", 0.4)

    def ask(*args: Any, seconds: float, expected: Collection[str], **how: Any) -> dict[str, Any]:
        found = workers.ask(*args, **how)
        time.sleep(seconds if set(expected) - found.keys() else 0.0)
        return found

    monkeypatch.setattr(broadcasts, "ask", ask)
    workers.taking = {name: {"a", "b", "c"} for name in ("w1", "w2")}
    WorkerRecord.objects.update(queues=["a", "b", "c"])
    workers.deaf = workers.silent = {"w2"}
    given = {"paused_by": "alice", "since": timezone.now()}
    for name in "abc":
        PausedQueue.objects.create(queue=name, **given)
    resumed = PausedQueue.objects.create(queue="d", resumed_at=timezone.now(), **given)
    PausedConsumer.objects.create(pause=resumed, hostname="w1", at=timezone.now())
    watch.look_after("default")
    assert workers.taking["w1"] == {"d"}
    left = PausedConsumer.objects.filter(consumes=True).order_by("pause__queue")
    assert list(left.values_list("pause__queue", "hostname")) == [(name, "w2") for name in "abc"]


def test_a_name_that_can_not_be_kept_is_in_nobodys_way(workers: Workers) -> None:
    workers.taking |= {"w" * 300: {QUEUE}, "w\0": {QUEUE}}
    paused = pause()
    assert reasons(paused)[0][1:] == ("done", "4 workers stopped taking from it.")
    kept = PausedConsumer.objects.order_by("hostname").values_list("hostname", flat=True)
    assert list(kept) == ["w1", "w2"]


def test_a_broker_that_is_away_for_one_queue_is_not_for_the_next(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*args: Any, **how: Any) -> dict[str, Any]:
        if args[2] == "active_queues":
            raise ConnectionError("away")
        return workers.ask(*args, **how)

    pause()
    given = {"paused_by": "alice", "since": timezone.now(), "resumed_at": timezone.now()}
    resumed = PausedQueue.objects.create(queue="d", **given)
    PausedConsumer.objects.create(pause=resumed, hostname="w1", at=timezone.now())
    monkeypatch.setattr(broadcasts, "ask", ask)
    with pytest.raises(ConnectionError, match="away"):
        watch.look_after("default")
    assert workers.taking["w1"] == {"other", "d"}


@pytest.mark.parametrize("with_zones", [True, False])
def test_until_may_be_said_with_or_without_time_zones(
    workers: Workers, settings: Any, with_zones: bool
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = with_zones, "UTC"
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    paused = pause(until=moment.isoformat())
    zone = " UTC" if with_zones else ""
    assert reasons(paused)[0][2].endswith(f"It is resumed at {moment:%Y-%m-%d %H:%M:%S}{zone}.")
    expected = moment if with_zones else moment.replace(tzinfo=None)
    assert PausedQueue.objects.get().until == expected
    watch.look_after("default")
    assert PausedQueue.objects.filter(resumed_at=None).exists()


def test_who_takes_from_it_on_record_is_told_though_it_does_not_answer(workers: Workers) -> None:
    workers.deaf = {"w2"}
    assert reasons(pause())[0][2] == "2 workers stopped taking from it."
    assert workers.taking["w2"] == set()


def test_a_worker_that_was_told_otherwise_is_told_again(workers: Workers) -> None:
    pause()
    workers.taking["w3"] = {QUEUE}
    watch.look_after("default")
    assert workers.taking["w3"] == set()
    resume()
    assert workers.taking["w3"] == {QUEUE}


def test_what_is_over_is_resumed_by_until(workers: Workers) -> None:
    pause(until=timezone.now() + timedelta(hours=1))
    watch.look_after("default")
    assert PausedQueue.objects.get().resumed_at is None
    PausedQueue.objects.update(until=timezone.now() - timedelta(seconds=1))
    watch.look_after("default")
    assert Operation.objects.get(verb="resume_queue").actor == "until"
    assert workers.taking["w2"] == {QUEUE}
    assert not PausedQueue.objects.exists()


def test_a_broker_that_does_not_answer_leaves_it_paused_on_record(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(seconds: float, call: Callable[[], Any]) -> Any:
        raise TimeoutError("no answer within 5 s")

    monkeypatch.setattr(watch, "within", hang)
    [[_, outcome, reason]] = reasons(pause())
    assert outcome == "unknown"
    assert reason.startswith("It is paused on record. The broker did not answer: no answer")
    assert PausedQueue.objects.get().resumed_at is None


@pytest.mark.parametrize("name", ["nobody knows it", "", "a\0b", "x" * 300])
def test_a_name_that_nothing_tells_of_is_refused(workers: Workers, name: str) -> None:
    with pytest.raises(OperationError, match="There is no queue"):
        operations.pause_queue(name, actor="alice")
    assert not Operation.objects.exists()


def test_a_moment_that_is_over_is_refused(workers: Workers) -> None:
    with pytest.raises(OperationError, match="is over"):
        pause(until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(OperationError, match="more than a year ahead"):
        pause(until=timezone.now() + timedelta(days=400))


def test_without_the_permission_nothing_happens(workers: Workers) -> None:
    with pytest.raises(PermissionDenied, match="pause_queue"):
        pause(actor=AnonymousUser())
    with pytest.raises(PermissionDenied, match="pause_queue"):
        resume(actor=AnonymousUser())


def starts(app: celery.Celery, hostname: str) -> set[str]:
    """The queues that a worker takes from which starts now."""
    app.amqp.queues.select([QUEUE, "other"])
    starting.leave_paused(hostname, SimpleNamespace(app=app))
    return set(app.amqp.queues.consume_from)


def test_a_worker_that_starts_leaves_it_out_and_takes_from_it_later(
    workers: Workers, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "within", lambda seconds, call: call())
    monkeypatch.setattr(starting, "connections", {"default": SimpleNamespace(close=lambda: None)})
    assert starts(mail_app, "w4") == {QUEUE, "other"}
    pause()
    assert starts(mail_app, "w4") == {"other"}
    workers.taking["w4"] = {"other"}
    resume()
    assert workers.taking["w4"] == {QUEUE, "other"}
    assert starts(mail_app, "w4") == {QUEUE, "other"}


def test_a_worker_starts_though_the_database_is_away(
    mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(seconds: float, call: Callable[[], Any]) -> Any:
        raise TimeoutError("no answer within 5 s")

    monkeypatch.setattr(starting, "within", away)
    assert starts(mail_app, "w4") == {QUEUE, "other"}


def scene() -> Scene:
    return Scene("default", timezone.now())


def found(condition: Any, at: Scene) -> list[tuple[str, str]]:
    limits = condition.CONDITION.thresholds()
    return [(one.subject, one.evidence) for one in condition.find(at, limits)]


@pytest.fixture
def deep() -> None:
    """A queue in which much waits for long, and nobody takes from it."""
    now = timezone.now()
    QueueSample.objects.bulk_create(
        QueueSample(
            project="default",
            queue=QUEUE,
            at=now - timedelta(minutes=minute),
            depth=5_000 if minute < 20 else 0,
            oldest_at=now - timedelta(hours=1) if minute < 20 else None,
        )
        for minute in range(120)
    )


def test_that_a_paused_queue_stands_is_no_fault(deep: None) -> None:
    now = timezone.now()
    WorkerRecord.objects.create(
        hostname="w9",
        online=True,
        last_seen=now,
        started_at=now - timedelta(hours=2),
        concurrency=1,
        queues=["other"],
    )
    assert found(queue_without_consumer, scene())
    assert found(queue_backing_up, scene())
    WorkerRecord.objects.update(queues=[QUEUE])
    assert found(worker_not_consuming, scene())
    PausedQueue.objects.create(queue=QUEUE, paused_by="alice", since=now, looked_at=now)
    at = scene()
    assert not found(queue_backing_up, at)
    assert not found(worker_not_consuming, at)
    WorkerRecord.objects.update(queues=["other"])
    assert not found(queue_without_consumer, scene())


class TestPausedQueueConsumed:
    @pytest.fixture
    def paused(self) -> PausedQueue:
        since = timezone.now() - timedelta(minutes=5)
        made: PausedQueue = PausedQueue.objects.create(
            queue=QUEUE, paused_by="alice", since=since, looked_at=timezone.now()
        )
        return made

    def test_it_is_quiet_while_nobody_consumes_it(self, paused: PausedQueue) -> None:
        paused.consumers.create(hostname="w1", consumes=False, at=timezone.now())
        assert found(paused_queue_consumed, scene()) == []

    def test_a_worker_that_does_not_listen_is_named(self, paused: PausedQueue) -> None:
        paused.consumers.create(hostname="w1", consumes=True, at=timezone.now())
        assert found(paused_queue_consumed, scene()) == [
            (
                QUEUE,
                "The queue mail is paused by alice. Told to take nothing from it, and not "
                "answering: w1.",
            )
        ]

    def test_so_are_consumers_that_the_broker_knows(self, paused: PausedQueue) -> None:
        QueueSample.objects.create(queue=QUEUE, at=timezone.now(), depth=1, consumers=2)
        [(_, evidence)] = found(paused_queue_consumed, scene())
        assert evidence.endswith("The broker knows of 2 consumers of it.")

    def test_that_nobody_was_asked_is_told_too(self, paused: PausedQueue) -> None:
        PausedQueue.objects.update(looked_at=None)
        [(_, evidence)] = found(paused_queue_consumed, scene())
        assert "No worker was asked" in evidence

    def test_a_new_pause_has_its_time(self, paused: PausedQueue) -> None:
        PausedQueue.objects.update(since=timezone.now(), looked_at=None)
        assert found(paused_queue_consumed, scene()) == []


class TestAPI:
    def test_an_operator_pauses_and_resumes(self, workers: Workers) -> None:
        until = (timezone.now() + timedelta(hours=1)).isoformat()
        asks = client("z4j operator")
        given = {"reason": "a fix", "until": until}
        how = {"content_type": "application/json"}
        told = body(asks.post(address("queues", QUEUE, "pause"), given, **how), 202)
        assert told["verb"] == "pause_queue"
        paused = body(asks.get(address("queues", QUEUE)))["paused"]
        assert (paused["paused_by"], paused["reason"]) == ("api-z4j-operator", "a fix")
        listed = body(asks.get(address("queues")))["results"]
        assert {one["name"]: bool(one["paused"]) for one in listed}[QUEUE]
        body(asks.post(address("queues", QUEUE, "resume"), {}, **how), 202)
        assert body(asks.get(address("queues", QUEUE)))["paused"] is None
        again = asks.post(address("queues", QUEUE, "resume"), {}, **how)
        assert problem(again, 409)["detail"] == "The queue 'mail' is not paused."


class TestPages:
    def test_the_queue_is_paused_looked_into_and_resumed(
        self, workers: Workers, admin_client: Any
    ) -> None:
        TaskRecord.objects.create(
            task_id="x", name="shop.send", queue=QUEUE, sent_at=timezone.now()
        )
        home = "/admin/z4j_django/operation/queues/"
        page = admin_client.get(f"{home}one/?queue={QUEUE}").content.decode()
        assert "Pause…" in page
        assert "Move…" in page
        assert "shop.send" in page
        asked = admin_client.get(f"{home}pause/?queue={QUEUE}").content.decode()
        assert "Pause a queue?" in asked
        done = admin_client.post(f"{home}pause/?queue={QUEUE}", {"reason": "<b>why</b>"})
        assert done.status_code == 302
        page = admin_client.get(f"{home}one/?queue={QUEUE}&messages=1").content.decode()
        assert "&lt;b&gt;why&lt;/b&gt;" in page
        assert "<b>why" not in page
        assert "Resume…" in page
        assert "No message waits." in page
        assert "paused by" in admin_client.get(home).content.decode()
        assert "paused by" in admin_client.get("/admin/z4j_django/").content.decode()
        asked = admin_client.get(f"{home}resume/?queue={QUEUE}").content.decode()
        assert "Resume a queue?" in asked
        admin_client.post(f"{home}resume/?queue={QUEUE}")
        assert not PausedQueue.objects.exists()
