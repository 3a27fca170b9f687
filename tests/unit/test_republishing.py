"""Messages that are published again as raw bytes."""

from __future__ import annotations

import pytest

from z4j_django.agent import events
from z4j_django.agent.republishing import republished

ADDRESS = {"exchange": "", "routing_key": "mail", "queue": "mail", "priority": 7, "at": 2.5}


def test_a_republished_message_is_a_send_without_arguments() -> None:
    headers = {
        "id": "b",
        "task": "shop.add",
        "retries": 2,
        "root_id": "r",
        "group": "g",
        "group_index": 3,
        "z4j": {"at": 2.5, "retry_of": "a", "operation": 7},
    }
    event = republished(headers, **ADDRESS)  # type: ignore[arg-type]
    assert (event.kind, event.task_id, event.at) == (events.TASK_SENT, "b", 2.5)
    assert (event.name, event.retries) == ("shop.add", 2)
    assert event.message == events.Message(
        name="shop.add",
        queue="mail",
        routing_key="mail",
        priority=7,
        root_id="r",
        group_id="g",
        group_index=3,
        retry_of="a",
        operation=7,
    )


def test_headers_without_an_id_are_refused() -> None:
    with pytest.raises(KeyError):
        republished({"task": "shop.add"}, **ADDRESS)  # type: ignore[arg-type]
