"""What workers answer, as anybody may have written it."""

from __future__ import annotations

import contextlib
from typing import Any

import celery
import pytest
from kombu.transport import virtual

from z4j_django import broadcasts
from z4j_django.control import broadcasting, remote_control


@pytest.fixture
def app() -> celery.Celery:
    return celery.Celery("test", broker="memory://", set_as_current=False)


def answer(app: celery.Celery, *answers: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Have the workers answer; what they are told."""
    told: list[tuple[Any, dict[str, Any]]] = []

    def broadcast(command: str, **given: Any) -> Any:
        told.append((command, given))
        return list(answers) or None

    app.control.broadcast = broadcast
    return told


def test_where_tasks_are_is_asked_by_their_ids(app: celery.Celery) -> None:
    told = answer(app, {"w1": {"a": ["active", {}], "other": ["active", {}]}}, {"w2": {}})
    found = remote_control.look(app, ["a", "b"], timeout=2)
    assert found == {"w1": {"a": "active"}, "w2": {}}
    [(command, given)] = told
    assert (command, given["arguments"]) == ("query_task", {"ids": ["a", "b"]})
    assert (given["reply"], given["timeout"]) == (True, 2)
    assert "limit" not in given


def of_celery_5_6(command: str, **given: Any) -> Any:
    """A worker that has "waits" in its schedule, and "runs" as any other has it."""
    if command == "scheduled":
        return [{"w1": [{"eta": "2096-01-01", "request": {"id": one}} for one in ("waits", "b")]}]
    return [{"w1": {one: ["active", {}] for one in given["arguments"]["ids"] if one == "runs"}}]


def test_a_received_task_that_no_worker_has_by_its_id_is_looked_for_in_their_schedules(
    app: celery.Celery,
) -> None:
    app.control.broadcast = of_celery_5_6
    found = remote_control.look(app, ["waits", "runs"], timeout=2, received=["waits", "runs"])
    assert found == {"w1": {"waits": "scheduled", "runs": "active"}}
    assert remote_control.look(app, ["waits"], timeout=2) == {"w1": {}}


@pytest.mark.parametrize("nonsense", [None, "text", [None], [{"request": None}], [{"request": {}}]])
def test_nonsense_is_no_schedule(app: celery.Celery, nonsense: Any) -> None:
    app.control.broadcast = lambda command, **given: [
        {"w1": nonsense if command == "scheduled" else {}}
    ]
    assert remote_control.look(app, ["a"], timeout=2, received=["a"]) == {"w1": {}}


def test_two_workers_of_one_name_are_both_heard(app: celery.Celery) -> None:
    answer(app, {"w1": {"a": ["active", {}]}}, {"w1": {}})
    assert remote_control.look(app, ["a"], timeout=2) == {"w1": {"a": "active"}}
    answer(app, {"w1": {"error": "no"}}, {"w1": {"ok": "terminate: a"}})
    assert remote_control.revoke(app, ["a"], timeout=2, signal="SIGTERM") == {
        "w1": remote_control.Reply("no", frozenset("a"))
    }


class Drained:
    """A connection on which answers come in at once; it notes how long each was waited for."""

    transport = object()

    def __init__(self, *hostnames: str) -> None:
        self.hostnames = list(hostnames)
        self.waited: list[float] = []

    def drain_events(self, timeout: float) -> Any:
        self.waited.append(timeout)
        if not self.hostnames:
            raise TimeoutError
        return self.hostnames.pop(0)


@pytest.mark.parametrize(
    ("expected", "grace", "heard"),
    [
        (("w2",), 0.0, ["w1", "w2"]),
        (("w2",), 1.0, ["w1", "w2", "w3", "w4"]),
        (("w1", "w3"), 0.0, ["w1", "w2", "w3"]),
        (("w1", "silent"), 0.0, ["w1", "w2", "w3", "w4"]),
        ((), 0.0, ["w1", "w2", "w3", "w4"]),
    ],
)
def test_one_listens_until_all_who_are_expected_have_answered(
    expected: tuple[str, ...], grace: float, heard: list[str]
) -> None:
    connection: Any = Drained("w1", "w2", "w3", "w4")
    deadline = broadcasts.Deadline(connection, 60, expected, grace)
    answered = []
    with contextlib.suppress(TimeoutError):
        while True:
            answered.append(connection.drain_events(timeout=1_000))
            deadline.hear({answered[-1]: {}})
    assert answered == heard
    assert max(connection.waited) <= 60
    if grace:
        assert connection.waited[-1] <= grace


def test_nobody_may_answer(app: celery.Celery) -> None:
    answer(app)
    assert remote_control.look(app, ["a"], timeout=2) == {}
    assert remote_control.revoke(app, ["a"], timeout=2) == {}


@pytest.mark.parametrize(
    "nonsense", [None, "text", {"w1": None}, {"w1": {"a": None}}, {"w1": {"a": []}}]
)
def test_nonsense_is_no_answer_about_a_task(app: celery.Celery, nonsense: Any) -> None:
    answer(app, nonsense)
    assert not any(remote_control.look(app, ["a"], timeout=2).values())


def test_without_a_signal_nothing_is_terminated(app: celery.Celery) -> None:
    told = answer(app, {"w1": {"ok": "tasks {'a'} flagged as revoked"}})
    assert remote_control.revoke(app, ["a"], timeout=2) == {"w1": remote_control.Reply()}
    assert told[0][1]["arguments"] == {"task_id": ["a"], "terminate": False}


def test_what_a_worker_terminates_it_names(app: celery.Celery) -> None:
    told = answer(
        app, {"w1": {"ok": "terminate: a, b"}}, {"w2": {"ok": "terminate: tasks unknown"}}
    )
    replies = remote_control.revoke(app, ["a", "b"], timeout=2, signal="SIGKILL")
    assert replies["w1"].terminated == {"a", "b"}
    assert replies["w2"].terminated == frozenset()
    assert told[0][1]["arguments"]["signal"] == "SIGKILL"


def test_an_error_is_cut(app: celery.Celery) -> None:
    answer(app, {"w1": {"error": "x" * 1000}})
    assert len(remote_control.revoke(app, ["a"], timeout=2)["w1"].error) == 200


def test_remote_control_wants_a_fanout(app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broadcasting.has_remote_control(app)
    without = virtual.Transport.implements.extend(exchange_type=frozenset(["direct"]))
    monkeypatch.setattr("kombu.transport.memory.Transport.implements", without)
    assert not broadcasting.has_remote_control(app)
