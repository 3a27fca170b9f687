"""Commands to workers by their names: who answered, and how long anybody waits."""

from __future__ import annotations

import socket
import time
from typing import Any

import celery
import pytest

from z4j_django.control import broadcasting


@pytest.fixture
def app() -> celery.Celery:
    return celery.Celery("test", broker="memory://", set_as_current=False)


def test_a_command_goes_to_those_that_are_named_and_all_answers_are_kept(
    app: celery.Celery,
) -> None:
    told: list[dict[str, Any]] = []

    def broadcast(command: str, **given: Any) -> list[Any]:
        told.append({"command": command, **given})
        return [{"w1": {"ok": "1"}}, {"w1": {"ok": "2"}}, {"other": {}}, None, "nonsense"]

    app.control.broadcast = broadcast
    found = broadcasting.to_some(app, "pool_grow", {"n": 2}, ["w1", "w2"], seconds=2)
    assert found == {"w1": [{"ok": "1"}, {"ok": "2"}]}
    [given] = told
    assert (given["command"], given["arguments"]) == ("pool_grow", {"n": 2})
    assert given["destination"] == ["w1", "w2"]


def test_nobody_answers_and_the_broker_does(app: celery.Celery) -> None:
    began = time.monotonic()
    assert broadcasting.to_some(app, "ping", {}, ["w1"], seconds=0.5) == {}
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_hangs_is_waited_for_no_longer_than_was_said(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}//"
        app = celery.Celery("test", broker=address, set_as_current=False)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
            broadcasting.to_some(app, "ping", {}, ["w1"], seconds=0.5)
        assert time.monotonic() - began < 0.8
