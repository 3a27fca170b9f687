"""Publishes that have begun and not ended."""

from __future__ import annotations

import pytest

from z4j_django.agent import events
from z4j_django.agent.open_publishes import NESTED, OpenPublishes


def send(name: str) -> events.TaskEvent:
    return events.TaskEvent(events.TASK_SENT, "a", 1.0, name)


def test_the_innermost_publish_of_an_id_ends_first() -> None:
    publishes = OpenPublishes()
    publishes.begin("a", send("outer"))
    publishes.begin("b", None)
    publishes.begin("a", send("inner"))
    assert publishes.end("a") == send("inner")
    assert publishes.end("b") is None
    assert publishes.end("a") == send("outer")
    with pytest.raises(LookupError, match="had not begun"):
        publishes.end("a")


def test_publishes_that_raise_leave_little_behind() -> None:
    publishes = OpenPublishes()
    for number in range(100):
        publishes.begin(number, send("raises"))
    for number in range(100 - NESTED, 100):
        publishes.end(number)
    for number in range(100):
        with pytest.raises(LookupError):
            publishes.end(number)
