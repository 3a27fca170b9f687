"""What was purged is put back: once, and only by who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.mailbox import Publish
from tests.integration.test_queues import purge, reason, restore
from z4j_django import operations
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, SavedMessage
from z4j_django.operations import restoring, transactions

pytestmark = pytest.mark.django_db


def test_a_restore_that_is_aborted_stops_and_says_so(publish: Publish) -> None:
    publish(*range(25))
    purged = purge()

    def abort(done: int, of: int) -> None:
        operations.abort(Operation.objects.latest("pk").pk, actor="alice")

    restored = operations.restore(purged.pk, actor="tests", progress=abort)
    assert reason(restored).startswith("20 of 25 messages were put back; ")
    assert restored.state == "aborted"
    restored.refresh_from_db()
    assert restored.parameters["aborted_by"] == "alice"
    assert restored.parameters["restored"] == 20
    assert restore(purged.pk).state == "finished"


def test_under_a_lost_key_nothing_is_put_back_and_with_the_old_one_all(
    publish: Publish, settings: Any
) -> None:
    publish(1, 2)
    purged = purge()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new one"
    refused = restore(purged.pk)
    assert (refused.done, refused.refused) == (0, 3)
    assert "SECRET_KEY changed" in refused.targets.get(position=1).reason
    settings.SECRET_KEY_FALLBACKS = [old]
    assert restore(purged.pk).done == 3


def test_a_restore_goes_on_where_another_one_stopped(
    publish: Publish, waiting: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(*range(5))
    purged = purge()
    publish_one = restoring.publishing.Publisher.publish
    calls: list[str] = []

    def publish_three(self: Any, raw: Any, **options: Any) -> None:
        calls.append(raw.headers["id"])
        if len(calls) == 4:
            raise ConnectionResetError("the broker went away")
        publish_one(self, raw, **options)

    monkeypatch.setattr(restoring.publishing.Publisher, "publish", publish_three)
    stopped = restore(purged.pk)
    assert (stopped.done, stopped.failed, stopped.total) == (3, 2, 5)
    assert reason(stopped) == (
        "ConnectionResetError: the broker went away 3 of 5 messages were put back; "
        f"restore operation {purged.pk} again for the rest."
    )
    assert restore(purged.pk).done == 3
    assert sorted(each[0] for each in waiting()) == [f"task-{number}" for number in range(5)]


def test_what_a_killed_restore_had_in_hand_is_not_put_back_twice(
    publish: Publish, waiting: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(*range(5))
    purged = purge()
    publish_one = restoring.publishing.Publisher.publish

    def publish_and_die(self: Any, raw: Any, **options: Any) -> None:
        publish_one(self, raw, **options)
        if raw.headers["id"] == "task-1":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(restoring.publishing.Publisher, "publish", publish_and_die)
        with pytest.raises(KeyboardInterrupt):
            restore(purged.pk)
    killed = Operation.objects.get(verb="restore")
    Operation.objects.update(updated_at=timezone.now() - timedelta(seconds=61))
    assert reason(restore(purged.pk)) == "All 3 messages were put back."
    assert sorted(each[0] for each in waiting()) == [f"task-{number}" for number in range(5)]
    killed.refresh_from_db()
    assert killed.state == "finished"


class TestARestoreThatIsRefused:
    def test_names_the_one_before(self, publish: Publish) -> None:
        publish(1)
        purged = purge()
        first = restore(purged.pk)
        with pytest.raises(OperationError) as told:
            restore(purged.pk)
        assert str(told.value) == (
            f"All 1 messages were restored, the last by operation {first.pk} "
            f"on {first.updated_at:%Y-%m-%d %H:%M} UTC."
        )

    def test_says_that_there_is_no_such_operation(self, publish: Publish) -> None:
        with pytest.raises(OperationError, match=r"There is no operation 77\."):
            restore(77)

    def test_says_that_it_was_no_purge(self, publish: Publish) -> None:
        publish(1)
        other = restore(purge().pk)
        with pytest.raises(OperationError, match="Only a purge or move can be undone"):
            restore(other.pk)

    @pytest.mark.parametrize("going", ["purge_queue", "restore"])
    def test_says_that_somebody_is_at_it(self, publish: Publish, going: str) -> None:
        publish(1)
        purged = purge()
        if going == "restore":
            restore(purged.pk)
            SavedMessage.objects.update(restored_at=None)
        at_it = Operation.objects.filter(verb=going)
        at_it.update(finished_at=None, state="running", updated_at=timezone.now())
        with pytest.raises(OperationError, match=r"is still at it|is putting it back already"):
            restore(purged.pk)
        at_it.update(updated_at=timezone.now() - timedelta(seconds=transactions.SILENCE + 1))
        assert restore(purged.pk).done == 2
