"""Samples of queues: what the broker tells, what the records tell, and who may be asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import celery
import pytest
from django.utils import timezone

from tests.integration.mailbox import QUEUE, Publish
from tests.integration.pages import task
from tests.integration.test_watch import Clock
from z4j_django import broker, handover, states, wiring
from z4j_django.models import QueueSample, WorkerRecord
from z4j_django.watch import sampling
from z4j_django.watch.sampling import Sampler, Told

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def sample(clock: Clock | None = None) -> dict[str, QueueSample]:
    sampler = Sampler("default", clock or Clock())
    sampler.begin(NOW)
    sampler.collect(wait=True)
    return {one.queue: one for one in QueueSample.objects.all()}


class TestWhatIsSampled:
    def test_the_messages_of_the_apps_queues_of_the_workers_and_of_the_records(
        self, mail_app: celery.Celery, publish: Publish
    ) -> None:
        publish(1, 2, 3)
        WorkerRecord.objects.create(hostname="w", online=True, queues=[QUEUE])
        WorkerRecord.objects.create(project="other", hostname="w", online=True, queues=["theirs"])
        task("a", queue="lately", sent_at=ago(60))
        task("b", queue="long ago", sent_at=ago(86_401))
        found = sample()
        assert {name: one.depth for name, one in found.items()} == {
            "celery": 0,
            QUEUE: 3,
            "lately": 0,
        }
        assert {one.consumers for one in found.values()} == {None}
        assert {(one.at, one.unknown) for one in found.values()} == {(NOW, "")}

    def test_names_without_end_are_cut(
        self, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sampling, "LIMIT", 3)
        names = [f"q{number}" for number in range(9)] + ["x" * 999]
        WorkerRecord.objects.create(hostname="w", online=True, queues=names)
        assert list(sample()) == ["celery", "q0", "q1"]

    def test_it_is_done_once_a_minute(self, mail_app: celery.Celery) -> None:
        clock = Clock()
        sampler = Sampler("default", clock)
        for second in range(0, 135, 15):
            clock.now = second
            sampler.begin(NOW)
            sampler.collect(wait=True)
        assert QueueSample.objects.count() == 3

    def test_an_app_that_is_eager_has_no_broker(self, mail_app: celery.Celery) -> None:
        mail_app.conf.task_always_eager = True
        [one] = sample().values()
        assert (one.depth, one.unknown) == (
            None,
            "Tasks run where they are called (task_always_eager).",
        )


class TestBrokerThatDoesNotAnswer:
    def test_it_is_told_why_without_the_password(self, mail_app: celery.Celery) -> None:
        mail_app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
        task("a", queue="mail", sent_at=ago(90))
        one = sample()["mail"]
        assert (one.depth, one.oldest_at) == (None, ago(90))
        assert "OperationalError" in one.unknown
        assert "secret" not in one.unknown

    def test_nobody_waits_for_it_and_it_is_asked_by_one_thread_only(
        self, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over, asked = threading.Event(), []

        def counts(connection: Any, names: list[str]) -> Iterator[tuple[str, int, None]]:
            asked.append(names)
            yield names[0], 7, None
            over.wait(60)

        monkeypatch.setattr(broker, "counts", counts)
        WorkerRecord.objects.create(hostname="w", online=True, queues=["a", "b"])
        clock = Clock()
        sampler = Sampler("default", clock)
        try:
            for number in range(3):
                clock.now = number * sampling.EVERY
                sampler.begin(NOW, seconds=0.05)
                sampler.collect()
                sampler.collect(wait=True)
            assert len(asked) == 1
        finally:
            over.set()
        samples = QueueSample.objects.order_by("id").values_list("queue", "depth", "unknown")
        silent = "The broker did not answer within 0.05 s."
        assert list(samples) == [("celery", 7, ""), ("a", None, silent), ("b", None, silent)] * 3


class TestOldest:
    def told(self, depth: int | None) -> datetime | None:
        return sampling.oldest_waiting("default", NOW, {"mail": Told(depth)})["mail"]

    def test_it_is_the_one_that_was_sent_first(self) -> None:
        for number in (30, 90, 60):
            task(str(number), queue="mail", sent_at=ago(number))
        task("done", queue="mail", sent_at=ago(900), state=states.SUCCESS)
        task("else", queue="else", sent_at=ago(900))
        assert self.told(3) == ago(90)
        assert self.told(None) == ago(90)

    def test_what_is_not_due_has_expired_or_was_never_sent_does_not_wait(self) -> None:
        task("due", queue="mail", sent_at=ago(900), eta=ago(-60))
        task("expired", queue="mail", sent_at=ago(900), expires=ago(1))
        task("body", queue="mail", sent_at=None)
        task("eta", queue="mail", sent_at=ago(60), eta=ago(30), expires=ago(-30))
        assert self.told(1) == ago(60)

    def test_records_that_stay_pending_for_ever_do_not_count(self) -> None:
        for number in (9000, 8000, 50, 40):
            task(str(number), queue="mail", sent_at=ago(number))
        assert self.told(2) == ago(50)

    def test_in_an_empty_queue_nothing_waits_and_no_record_is_read(
        self, django_assert_num_queries: Any
    ) -> None:
        task("a", queue="mail", sent_at=ago(90))
        with django_assert_num_queries(0):
            assert sampling.oldest_waiting("default", NOW, {"mail": Told(0)}) == {}


class TestHandingOver:
    def given(self, app: celery.Celery) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(broker.describe(app)))
        return found

    @pytest.mark.parametrize(
        "url",
        [
            "redis://:secret@127.0.0.1:6379/7",
            "rediss://h//?ssl_cert_reqs=required",
            "amqp://me:secret@h//v;amqp://other//",
            "sentinel://h:26379/0",
        ],
    )
    def test_another_process_makes_the_same_connection_of_it(self, url: str) -> None:
        app = celery.Celery("shop", broker=url, set_as_current=False)
        app.conf.broker_transport_options = {"master_name": "m", "global_keyprefix": "shop."}
        with app.connection_for_write() as ours, broker.connection(self.given(app), 9.0) as made:
            assert made.get_transport_cls() is ours.get_transport_cls()
            wanted, found = ours.info(), made.info()
            assert found["transport_options"].items() >= wanted["transport_options"].items()
            apart = dict.fromkeys(("transport", "transport_options", "connect_timeout"))
            assert {**found, **apart} == {**wanted, **apart}

    def test_of_a_transport_of_the_projects_own_kombus_is_taken(self, tmp_path: Any) -> None:
        app = celery.Celery("shop", set_as_current=False)
        app.conf.broker_transport = "example_project.filesystem:Transport"
        app.conf.broker_transport_options = {"data_folder_in": str(tmp_path)}
        given = self.given(app)
        assert given["connection"]["transport"] == "kombu.transport.filesystem:Transport"

    @pytest.mark.parametrize(
        ("url", "options", "unknown"),
        [
            ("memory://", {}, "The transport memory is asked in the project's processes."),
            (
                "redis://h//",
                {"a": object()},
                "The broker's options hold what can't be handed over.",
            ),
        ],
    )
    def test_what_can_not_be_handed_over_is_told(
        self, url: str, options: dict[str, Any], unknown: str
    ) -> None:
        app = celery.Celery("shop", broker=url, set_as_current=False)
        app.conf.broker_transport_options = options
        app.conf.task_queues = [celery.app.amqp.Queue("mail")]  # type: ignore[attr-defined]
        given = broker.describe(app)
        assert given.pop("mailbox")
        assert given == {"queues": ["mail"], "connection": {}, "unknown": unknown}

    def test_a_process_that_was_given_a_broker_asks_no_app(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = {"queues": ["mail"], "connection": {}, "unknown": "It can't be asked."}
        monkeypatch.setattr(handover, "_told", {"broker": given})
        monkeypatch.setattr(wiring, "find_celery_app", None)
        [one] = sample().values()
        assert (one.queue, one.depth, one.unknown) == ("mail", None, "It can't be asked.")

    def test_an_app_that_can_not_be_loaded_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wiring, "find_celery_app", None)
        task("a", queue="mail", sent_at=ago(5))
        assert sample()["mail"].unknown.startswith("TypeError")
