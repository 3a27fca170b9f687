"""Publishing raw messages: what is told of a broker that does not answer."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import celery
import kombu
import pytest

from z4j_django.control import publishing

RAW = publishing.Raw(b"[[], {}, {}]", "application/json", "utf-8", {}, {})


@pytest.fixture
def app() -> celery.Celery:
    return celery.Celery("test", broker="memory://", set_as_current=False)


def count(queue: str) -> int:
    with kombu.Connection("memory://") as connection:
        bound = kombu.Queue(queue)(connection.channel())
        bound.declare()
        return len(list(iter(lambda: bound.get(no_ack=True), None)))


def test_what_opens_too_late_does_not_publish_behind_the_back(
    app: celery.Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = uuid.uuid4().hex
    opened, threads = threading.Event(), []
    really_open = publishing._open

    def open_late(*args: Any) -> Any:
        threads.append(threading.current_thread())
        opened.wait()
        return really_open(*args)

    monkeypatch.setattr(publishing, "_open", open_late)
    with pytest.raises(publishing.UnreachableError, match="nothing was published"):
        publishing.Publisher(app, 0.01).publish(RAW, routing_key=queue)
    opened.set()
    for thread in threads:
        thread.join()
    assert count(queue) == 0


def test_what_may_have_left_is_told_as_unknown(
    app: celery.Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any, **kwargs: Any) -> None:
        raise TimeoutError("no confirmation")

    monkeypatch.setattr(publishing.Producer, "publish", hang)
    with pytest.raises(TimeoutError, match="whether it was published is unknown"):
        publishing.publish(app, RAW, routing_key=uuid.uuid4().hex, timeout=10)
