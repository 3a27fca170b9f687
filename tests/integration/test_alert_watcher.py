"""What follows a round: who listens in the process, and who watches from outside; and links."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from tests.integration.alerting import PROJECT, Clock, at, ends, holds, inbox, settings
from tests.process.harness.waiting import wait_until
from z4j_django import signals, wiring
from z4j_django.alerts import changes, heartbeats, links, telling, watcher
from z4j_django.alerts.changes import Changes
from z4j_django.alerts.message import Problem
from z4j_django.conditions.attention import described
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import (
    AlertDelivery,
    AlertHeartbeat,
    ConditionRecord,
    ErrorGroup,
    Lease,
    TaskRecord,
)
from z4j_django.values import error_id
from z4j_django.watch import watching

pytestmark = pytest.mark.django_db


class Service(ThreadingHTTPServer):
    """Who watches the watcher."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[str] = []
        self.status = 200

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.calls.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as made:
        thread = threading.Thread(target=made.serve_forever, args=[0.05])
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@contextmanager
def listening() -> Iterator[list[tuple[str, Problem]]]:
    heard: list[tuple[str, Problem]] = []

    def hear(sender: Any, alert: Problem, status: str, project: str, **more: Any) -> None:
        assert (sender, project) == (Problem, PROJECT)
        heard.append((status, alert))

    signals.alert_changed.connect(hear)
    try:
        yield heard
    finally:
        signals.alert_changed.disconnect(hear)


def found() -> Changes:
    """A condition that began, and one that ended."""
    holds("no_workers")
    holds("failing", "shop.pay", "warning")
    ends("failing")
    over = ConditionRecord.objects.get(key="failing")
    return Changes([ConditionRecord.objects.get(key="no_workers")], [over])


def told(changed: Changes) -> None:
    """Have everyone told of it."""
    teller = changes.Teller(PROJECT)
    teller.begin(changed)
    teller.join(10)


class TestChanges:
    def test_each_change_is_sent_once(self) -> None:
        with listening() as heard:
            told(found())
        lines = [(status, one.key, one.subject) for status, one in heard]
        assert lines == [("firing", "no_workers", ""), ("resolved", "failing", "shop.pay")]
        assert heard[1][1].until == at(0)

    def test_what_a_receiver_raises_stops_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(**given: Any) -> None:
            raise RuntimeError("out of order")

        signals.alert_changed.connect(fail)
        try:
            with listening() as heard:
                told(found())
        finally:
            signals.alert_changed.disconnect(fail)
        assert len(heard) == 2
        assert caplog.text.count("in Signal.send_robust() (out of order)") == 2

    def test_a_receiver_that_hangs_holds_up_no_round_and_is_told_all_in_turn(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on, begun, where = threading.Event(), [], list[int]()

        def hang(**given: Any) -> None:
            where.append(threading.get_ident())
            go_on.wait(10)

        made = watcher.Watcher(PROJECT, Clock(), "1@here")
        monkeypatch.setattr(made._sender, "begin", lambda: begun.append(list(where)))
        monkeypatch.setattr(made._heart, "begin", lambda trouble: None)
        changed = found()
        signals.alert_changed.connect(hang)
        try:
            with listening() as heard:
                made.follow(at(0), changed)
                made.follow(at(15), changed)
                assert heard == []
                go_on.set()
                made.end()
        finally:
            signals.alert_changed.disconnect(hang)
        assert begun[0] == []
        assert [status for status, _ in heard] == ["firing", "resolved"] * 2
        assert len(set(where)) == 1
        assert threading.get_ident() not in where

    def test_sentry_has_it_in_its_trail_where_it_is_loaded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trail: list[dict[str, Any]] = []
        sdk = SimpleNamespace(add_breadcrumb=lambda **crumb: trail.append(crumb))
        monkeypatch.setitem(sys.modules, "sentry_sdk", sdk)
        told(found())
        assert [(one["level"], one["message"]) for one in trail] == [
            ("error", "firing: No worker"),
            ("info", f"resolved: {described(ConditionRecord.objects.all())[1].title} shop.pay"),
        ]

    def test_a_round_tells_what_changed_in_it(self) -> None:
        holds("worker_gone", "w9@gone", missed=5)
        watch = watching.Watch(PROJECT)
        with listening() as heard, override_settings(Z4J={}):
            for _ in watch.round(timezone.now()):
                pass
            watch._alerts._teller.join(10)
            first = [(status, one.key) for status, one in heard]
            for _ in watch.round(timezone.now()):
                pass
            watch._alerts._teller.join(10)
        assert ("resolved", "worker_gone") in first
        assert ("firing", "no_workers") in first
        assert len(heard) == len(first)


class TestHeartbeats:
    def beat(self, trouble: str = "") -> None:
        clock = Clock()
        heart = heartbeats.Heart(PROJECT, clock)
        heart.beat(trouble)
        heart.beat_schedules()

    def test_it_is_called_while_all_goes_well(self, service: Service) -> None:
        with override_settings(Z4J={"HEARTBEAT_URL": service.url("ping")}):
            self.beat()
            assert service.calls == ["/ping"]
            row = AlertHeartbeat.objects.get()
            assert (row.is_ok, row.called_at, row.answer) == (
                True,
                at(0),
                "It answered with status 200.",
            )

    @pytest.mark.parametrize("key", ["journal_stopped", "not_evaluated"])
    def test_it_is_not_while_nothing_is_recorded_or_known(self, service: Service, key: str) -> None:
        holds(key, "here")
        with override_settings(Z4J={"HEARTBEAT_URL": service.url("ping")}):
            self.beat()
        assert service.calls == []
        row = AlertHeartbeat.objects.get()
        assert row.answer.endswith(f"({key}).")
        assert row.called_at is None

    def test_nor_while_alerts_are_not_sent(self, service: Service) -> None:
        AlertDelivery.objects.create(
            channel="ops", status="firing", created_at=at(-1000), next_at=at(0)
        )
        with override_settings(Z4J={"HEARTBEAT_URL": service.url("ping")}):
            self.beat()
            AlertDelivery.objects.update(state="sent")
            self.beat("Not called: the sending of alerts hangs.")
            assert service.calls == []
            assert AlertHeartbeat.objects.get().answer == "Not called: the sending of alerts hangs."
            self.beat()
        assert service.calls == ["/ping"]

    def test_a_schedule_has_one_of_its_own_for_each_success(self, service: Service) -> None:
        def run(number: int, state: str) -> None:
            TaskRecord.objects.create(
                task_id=f"t{number}",
                name="shop.report",
                schedule="nightly",
                state=state,
                finished_at=at(number),
            )

        with settings(HEARTBEATS={"nightly": service.url("nightly"), "x": service.url("x")}):
            self.beat()
            run(1, "SUCCESS")
            self.beat()
            self.beat()
            run(2, "FAILURE")
            self.beat()
            assert service.calls == ["/nightly"]
            run(3, "SUCCESS")
            service.status = 503
            self.beat()
            assert AlertHeartbeat.objects.get(schedule="nightly").is_ok is False
            service.status = 200
            self.beat()
            self.beat()
        assert service.calls == ["/nightly"] * 3

    def test_schedules_that_hang_hold_up_no_beat_of_the_project(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on, called = threading.Event(), list[str]()

        def call(url: str) -> tuple[bool, str]:
            called.append(url)
            if url == "slow":
                go_on.wait(10)
            return True, ""

        due = [("nightly", "slow", at(0))]
        monkeypatch.setattr(heartbeats, "_called", call)
        monkeypatch.setattr(heartbeats, "_due", lambda project, wanted: due)
        monkeypatch.setattr(heartbeats, "_note", lambda project, schedule, **values: None)
        monkeypatch.setattr(heartbeats, "wrong", lambda project, now: "")
        monkeypatch.setattr(heartbeats, "EVERY", 0.0)
        heart = heartbeats.Heart(PROJECT, Clock())
        given = {"HEARTBEAT_URL": "http://own", "ALERTS": {"HEARTBEATS": {"nightly": "http://x"}}}
        with override_settings(Z4J=given):
            try:
                heart.begin()
                wait_until(lambda: "slow" in called, 10, "the schedule's call")
                wait_until(lambda: "http://own" in called, 10, "the project's call")
                called.clear()
                heart.begin()
                wait_until(lambda: called == ["http://own"], 2, "the project's next call")
            finally:
                go_on.set()
                heart.join(10)

    def test_nobody_is_there(self, service: Service) -> None:
        url = "http://127.0.0.1:9/secret-token"
        with override_settings(Z4J={"HEARTBEAT_URL": url}):
            self.beat()
        row = AlertHeartbeat.objects.get()
        assert row.is_ok is False
        assert "secret-token" not in row.answer


@pytest.mark.django_db(transaction=True)
def test_a_round_is_followed_by_all_of_it(service: Service) -> None:
    given = {"ALERTS": {"CHANNELS": {"ops": {"kind": "inbox"}}, "RULES": {"all": {"after": 0}}}}
    holds("no_workers")
    with (
        inbox() as ops,
        override_settings(Z4J={**given, "HEARTBEAT_URL": service.url("ping")}),
    ):
        made = watcher.Watcher(PROJECT, lambda: at(1), "1@here")
        made.follow(at(0), Changes())
        wait_until(lambda: service.calls == ["/ping"], 10, "the heartbeat")
        wait_until(lambda: ops.lines() == ["firing no_workers"], 10, "the message")
        made.end()
        wait_until(lambda: AlertHeartbeat.objects.exists(), 10, "the record of it")


def test_what_fails_stops_no_round_and_no_heart_beats_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trouble: list[str] = []
    made = watcher.Watcher(PROJECT, Clock(), "1@here")
    monkeypatch.setattr(made._heart, "begin", trouble.append)

    def fail(*given: Any) -> None:
        raise RuntimeError("no such table")

    monkeypatch.setattr(telling, "tell", fail)
    made.follow(at(0), Changes())
    made.follow(at(15), Changes())
    assert trouble == ["Not called: the alerts could not be told."] * 2
    assert caplog.text.count("The alerts could not be told: RuntimeError: no such table") == 1


class TestLinks:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        wiring.site_root.cache_clear()
        yield
        wiring.site_root.cache_clear()

    def test_each_condition_leads_to_a_page_that_there_is(self) -> None:
        moment = timezone.now() - timedelta(minutes=1)
        error = ErrorGroup.objects.create(
            fingerprint=7, first_seen=moment, last_seen=moment, count=1, name="shop.pay"
        )
        client = Client()
        client.force_login(User.objects.create_superuser("boss"))
        root = f"http://testserver{reverse('admin:index')}"
        with override_settings(Z4J={"BASE_URL": root}):
            assert links.first_page() == f"{root}z4j_django/"
            for key, condition in CONDITIONS.items():
                subject = error_id(error.fingerprint) if condition.subject == "error" else "a b@c"
                record = ConditionRecord(key=key, subject=subject, since=moment)
                (one,) = described([record])
                address = links.problem(one)
                answer = client.get(address.removeprefix("http://testserver"), follow=False)
                assert answer.status_code == 200, (key, address, answer.status_code)

    def test_without_an_address_there_are_none(self) -> None:
        with override_settings(Z4J={}):
            record = ConditionRecord(key="no_workers", since=timezone.now())
            assert links.problem(*described([record])) == ""
            assert links.first_page() == ""

    def test_a_hostile_name_stays_in_its_place(self) -> None:
        with override_settings(Z4J={"BASE_URL": "https://shop.example/admin"}):
            record = ConditionRecord(
                key="queue_without_consumer",
                subject='a"><script>&x=1#\ud800',
                since=timezone.now(),
                numbers={},
            )
            address = links.problem(*described([record]))
        assert address.startswith("https://shop.example/admin/z4j_django/taskrecord/?q=")
        assert not set('"<># ') & set(address)


def test_the_row_that_is_locked_is_made_once() -> None:
    telling.make_row(PROJECT, at(0))
    telling.make_row(PROJECT, at(0))
    assert Lease.objects.filter(name=Lease.ALERTS).count() == 1
