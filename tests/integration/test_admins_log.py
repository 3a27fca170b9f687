"""Django's own log of the admin: where it can't be written, the act is done all the same."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connections, transaction
from rest_framework.test import APIClient

from tests.integration import operators
from tests.integration.api_client import ROOT
from z4j_django import operations
from z4j_django.models import Operation
from z4j_django.operations import admins_log, auditing

#: Committed, as PostgreSQL and SQLite look at a foreign key no sooner.
pytestmark = pytest.mark.django_db(transaction=True)
#: Keys and names that tokens give, and what the operation says.
TOKENS = (
    (4711, "ann", "ann", "4711"),
    ("4711", "", "user 4711", "4711"),
    ("auth0|5f7c", "ann", "ann", "auth0|5f7c"),
    (2**80, "ann", "ann", str(2**80)),
    ("a\0b", "n\0m\ud800", "n�m�", "a�b"),
    (None, "ann", "ann", ""),
    (["no", "key"], "x" * 300, "x" * 255, "['no', 'key']"),
)


class TokenUser:
    """One whom a signed token tells of, as some authentications have it: no row, and no model."""

    is_active = is_authenticated = True
    is_anonymous = False

    def __init__(self, pk: Any, name: str = "") -> None:
        self.pk = self.id = pk
        self._name = name

    def get_username(self) -> str:
        return self._name

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return True


@pytest.fixture
def gone() -> User:
    """A superuser whose row was deleted since he came."""
    boss = User.objects.create_superuser("boss")
    User.objects.filter(pk=boss.pk).delete()
    return boss


@pytest.fixture
def failed(queue: str) -> None:
    """A task that can be retried."""
    operators.kept("old", queue=queue)


def is_done(operation: Operation) -> bool:
    operation.refresh_from_db()
    return (operation.state, operation.done) == ("finished", 1)


@pytest.mark.usefixtures("failed")
class TestActors:
    """Who has no row."""

    def test_one_deleted_meanwhile(self, gone: User) -> None:
        operation = operations.retry("old", actor=gone)
        assert is_done(operation)
        assert (operation.actor, operation.user_id) == ("boss", str(gone.pk))
        assert not LogEntry.objects.exists()

    def test_those_of_a_token(self) -> None:
        for pk, name, actor, user_id in TOKENS:
            user: Any = TokenUser(pk, name)
            operation = operations.retry("old", actor=user, force=True)
            assert is_done(operation)
            assert (operation.actor, operation.user_id) == (actor, user_id)
        assert not LogEntry.objects.exists()

    def test_the_api_answers_him(self) -> None:
        client = APIClient()
        client.force_authenticate(TokenUser(4711, "ann"))
        answer = client.post(f"{ROOT}tasks/old/retry/")
        assert answer.status_code == 202, answer.content
        assert (answer.json()["state"], answer.json()["actor"]) == ("finished", "ann")

    def test_one_who_aborts(self, gone: User, handed_over: list[int]) -> None:
        left = operations.bulk("retry", task_ids=["old"], rate=1, actor="a test")
        assert operations.abort(left.pk, actor=gone).state == "aborted"

    def test_nor_is_the_transaction_failed_that_somebody_has_open_elsewhere(
        self, gone: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operation = auditing.begin("retry", ["old"], actor="a test", surface="python")
        with transaction.atomic():
            User.objects.create_user("ann")
            admins_log.tell(operation, gone, "aborted")
        assert User.objects.filter(username="ann").exists()


@pytest.mark.usefixtures("failed")
def test_a_log_whose_table_is_away_is_told_and_the_act_is_done(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Elsewhere:
        def db_for_write(self, model: Any, **hints: Any) -> str | None:
            return "away" if model is LogEntry else None

    connections.settings["away"] = {
        **connections.settings["default"],
        **{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}},
    }
    connections["away"].connect()  # as pytest-django allows no other database to be opened
    boss = User.objects.create_superuser("boss")
    settings.DATABASE_ROUTERS = [Elsewhere()]
    try:
        with caplog.at_level(logging.ERROR, "z4j_django.operations"):
            assert is_done(operations.retry("old", actor=boss))
    finally:
        connections["away"].close()
        del connections["away"], connections.settings["away"]
    assert f"retry by {boss}: it is not in the admin's log." in caplog.text


@pytest.mark.usefixtures("failed")
def test_whoever_has_a_row_is_in_it() -> None:
    boss = User.objects.create_superuser("boss")
    operation = operations.retry("old", actor=boss)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (boss, str(operation.pk))
    assert entry.get_change_message() == "Retry: old"
