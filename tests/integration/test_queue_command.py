"""``z4j_queue``: what it prints, and what it leaves as it was."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.integration.mailbox import QUEUE, Publish
from z4j_django import operations
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db


def told(*words: str) -> str:
    output = StringIO()
    call_command("z4j_queue", *words, stdout=output)
    return output.getvalue()


def test_a_look_shows_the_messages_and_leaves_them(publish: Publish) -> None:
    publish(1, 2)
    lines = told("peek", QUEUE).splitlines()
    assert lines[0] == "0  task-1  send  -  [[1], {}]"
    assert lines[-1] == "2 messages shown, 50 at most; they stay where they are."
    [one, _] = json.loads(told("peek", QUEUE, "--json"))["messages"]
    assert (one["task_id"], one["args"]) == ("task-1", [1])
    assert operations.count_messages(QUEUE) == 2


def test_messages_are_moved_and_with_dry_run_they_are_not(publish: Publish) -> None:
    publish(1, 2, 3)
    would = told("move", QUEUE, "--to", "parked", "--dry-run")
    assert "3 messages wait, of which all are moved into 'parked'." in would
    assert not Operation.objects.exists()
    assert "All 3 messages were moved." in told("move", QUEUE, "--to", "parked", "--yes")
    assert operations.count_messages("parked") == 3


def test_what_is_refused_is_told_in_words(publish: Publish) -> None:
    with pytest.raises(CommandError, match="The queue 'mail' is not paused"):
        told("resume", QUEUE, "--yes")
    with pytest.raises(CommandError, match="There is no queue 'nobody knows it'"):
        told("pause", "nobody knows it", "--yes")
