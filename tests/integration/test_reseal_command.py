"""``z4j_reseal``, on the database of the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from z4j_django.agent import events
from z4j_django.models import Operation, SavedMessage, TaskPayload
from z4j_django.secrets import sealing
from z4j_django.store import resealing

pytestmark = pytest.mark.django_db(transaction=True)

NEW = {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": ["old"]}
LOST = "SECRET_KEY changed, and its old value is no fallback."


def reseal(*options: str) -> str:
    out = StringIO()
    call_command("z4j_reseal", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def sealed_under(secret: str, context: str, body: bytes) -> bytes:
    with override_settings(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=[]):
        return sealing.seal(events.Original(size=len(body), body=body), context)


def payload(secret: str, task_id: str, body: bytes = b"[]", project: str = "default") -> None:
    sealed = sealed_under(secret, sealing.task_context(project, task_id), body)
    TaskPayload.objects.create(
        project=project, task_id=task_id, sealed=sealed, size=len(body), created_at=timezone.now()
    )


def saved(secret: str, position: int, body: bytes = b"[]", project: str = "default") -> None:
    now = timezone.now()
    operation = Operation.objects.create(
        project=project, verb="purge_queue", actor="ann", created_at=now, updated_at=now
    )
    SavedMessage.objects.create(
        operation=operation,
        position=position,
        sealed=sealed_under(secret, sealing.saved_context(operation.pk, position), body),
        size=len(body),
    )


def body_of(task_id: str) -> bytes:
    row = TaskPayload.objects.get(task_id=task_id)
    context = sealing.task_context(row.project, task_id)
    return sealing.open_sealed(row.sealed, context).body


@pytest.fixture
def rotated() -> Any:
    with override_settings(**NEW):
        yield


@pytest.mark.usefixtures("rotated")
class TestReseal:
    def test_afterwards_the_old_key_is_needed_no_more(self) -> None:
        payload("old", "a", b"first")
        payload("new", "b", b"second")
        saved("old", 3, b"third")
        assert reseal() == "Sealed 2 messages anew; 1 needed nothing.\n"
        with override_settings(SECRET_KEY_FALLBACKS=[]):
            assert (body_of("a"), body_of("b")) == (b"first", b"second")
            message = SavedMessage.objects.get()
            context = sealing.saved_context(message.operation_id, 3)
            assert sealing.open_sealed(message.sealed, context).body == b"third"
        assert reseal() == "Sealed 0 messages anew; 3 needed nothing.\n"

    def test_what_can_not_be_opened_is_left_as_it_is_and_told(self) -> None:
        payload("lost", "a")
        payload("old", "b")
        before = bytes(TaskPayload.objects.get(task_id="a").sealed)
        out = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("z4j_reseal", stdout=out)
        assert ended.value.code == 1
        assert out.getvalue() == (
            "Sealed 1 messages anew; 0 needed nothing.\n"
            "1 can't be opened, and are left as they are. The first:\n"
            f"  task:default:a: The sealed message can't be opened: {LOST}\n"
        )
        assert bytes(TaskPayload.objects.get(task_id="a").sealed) == before

    def test_a_dry_run_counts_the_same_and_changes_nothing(self) -> None:
        payload("old", "a")
        payload("lost", "b")
        before = [bytes(row.sealed) for row in TaskPayload.objects.order_by("pk")]
        out = StringIO()
        with pytest.raises(SystemExit):
            call_command("z4j_reseal", "--dry-run", "--json", stdout=out)
        shown = json.loads(out.getvalue())
        assert shown.pop("lost_first")[0].startswith("task:default:b: ")
        assert shown == {
            "project": "default",
            "dry_run": True,
            "complete": True,
            "current": 0,
            "resealed": 1,
            "lost": 1,
        }
        assert [bytes(row.sealed) for row in TaskPayload.objects.order_by("pk")] == before

    def test_a_message_that_was_not_kept_needs_nothing(self) -> None:
        TaskPayload.objects.create(
            task_id="large", sealed=b"", size=5_000_000, created_at=timezone.now()
        )
        assert reseal() == "Sealed 0 messages anew; 1 needed nothing.\n"

    def test_another_project_of_the_database_has_its_own_key(self) -> None:
        payload("theirs", "a", project="other")
        saved("theirs", 1, project="other")
        assert reseal() == "Sealed 0 messages anew; 0 needed nothing.\n"

    def test_many_messages_go_in_batches_and_none_twice(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resealing, "WINDOW", 4)
        monkeypatch.setattr(resealing, "AT_ONCE", 3)
        for number in range(10):
            payload("old" if number % 2 else "new", str(number), b"body %d" % number)
        assert reseal() == "Sealed 5 messages anew; 5 needed nothing.\n"
        assert [body_of(str(n)) for n in range(10)] == [b"body %d" % n for n in range(10)]

    def test_large_messages_are_read_a_few_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resealing, "BYTES_AT_ONCE", 100)
        for number in range(3):
            payload("old", str(number), b"x" * 60)
        seen = [tally.resealed for tally in resealing.reseal("default")]
        assert seen[:3] == [1, 2, 3]

    def test_it_can_be_stopped_and_goes_on_where_it_was(
        self, monkeypatch: pytest.MonkeyPatch, stop_at: Callable[[int], None]
    ) -> None:
        monkeypatch.setattr(resealing, "AT_ONCE", 1)
        for number in range(3):
            payload("old", str(number))
        stop_at(1)
        out = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("z4j_reseal", stdout=out)
        assert ended.value.code == 1
        assert "It was stopped before its end; run it again to go on." in out.getvalue()
        monkeypatch.undo()
        assert reseal() == "Sealed 2 messages anew; 1 needed nothing.\n"

    def test_a_database_that_refuses_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: Any, **options: Any) -> None:
            raise DatabaseError("read-only")

        monkeypatch.setattr(resealing, "reseal", refuse)
        with pytest.raises(CommandError, match="The database did not do it: read-only"):
            reseal()


def test_a_project_without_a_key_is_told() -> None:
    with (
        override_settings(SECRET_KEY=""),
        pytest.raises(CommandError, match="The project has no SECRET_KEY"),
    ):
        reseal()


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Send SIGTERM after so many batches."""
    import os
    import signal

    def arrange(batches: int) -> None:
        real = resealing.reseal

        def told(*args: Any, **options: Any) -> Any:
            for number, tally in enumerate(real(*args, **options), start=1):
                if number == batches:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield tally

        monkeypatch.setattr(resealing, "reseal", told)

    return arrange
