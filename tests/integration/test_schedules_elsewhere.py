"""Periodic tasks of django-celery-beat in another database than the records."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import celery
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from tests.integration import beat
from z4j_django import handover, wiring
from z4j_django.agent.discovery import Found
from z4j_django.queries import foreign_tables, timetable

ALIAS = "elsewhere"
#: What a shipper makes of what it was given.
ENTRIES = """
import json, sys
from z4j_django.store.writer import database_sink
database_sink(sys.stdin.buffer.read())
from django.db import connections
from z4j_django.queries import timetable
found = {one.name: str(one.recurrence) for one in timetable.entries()}
print(json.dumps([found, sorted(connections.settings), "celery" in sys.modules]))
"""


class Router:
    """Puts that app where the records are not."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if model._meta.app_label == beat.BEAT else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == ALIAS) is (app_label == beat.BEAT)


@pytest.fixture(autouse=True)
def _elsewhere(
    tmp_path: Path, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A file with the tables, and two schedules."""
    pytest.importorskip(beat.BEAT, reason="its newest asks for an older Django")
    app = celery.Celery("shop", set_as_current=False)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(app, "tests:app"))
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "beat.sqlite3"}
    made = connections.configure_settings({"default": {}, ALIAS: entry})[ALIAS]
    monkeypatch.setitem(connections.settings, ALIAS, made)
    router = override_settings(DATABASE_ROUTERS=[Router()])
    with django_db_blocker.unblock(), router, beat.installed():
        call_command("migrate", beat.BEAT, database=ALIAS, verbosity=0)
        beat.schedule("nightly", "crontab")
        beat.schedule("sun", "solar")
        yield
        connections[ALIAS].close()
        del connections[ALIAS]


def test_they_are_read_there() -> None:
    assert wiring.schedules()["tables"] == ALIAS
    assert {one.name for one in timetable.entries()} == {"nightly", "sun"}


def test_a_shipper_is_handed_that_database_too() -> None:
    given = handover.give(schedules=wiring.schedules())
    made = subprocess.run(
        [sys.executable, "-c", ENTRIES], input=given, capture_output=True, check=True
    )
    entries, aliases, has_celery = json.loads(made.stdout)
    assert entries == {"nightly": "0 3 * * * UTC", "sun": "sunset at 52, 13"}
    assert aliases == ["default", "schedules"]
    assert not has_celery


@pytest.mark.parametrize(
    "entry", [{"ENGINE": "psqlextra.backend"}, {"OPTIONS": {"cursor_factory": dict}}]
)
def test_one_that_can_not_be_handed_over_is_left_out(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    for name, value in entry.items():
        monkeypatch.setitem(connections.settings[ALIAS], name, value)
    given = json.loads(handover.give(schedules=wiring.schedules()))
    assert given["TOLD"]["schedules"]["tables"] == ""
    assert set(given["DATABASES"]) == {"default"}


def test_a_database_that_does_not_answer_is_not_asked_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    over = threading.Event()

    def hangs(alias: str, *args: Any) -> list[Any]:
        asked.append(alias)
        over.wait(60)
        return []

    monkeypatch.setattr(foreign_tables, "_rows", hangs)
    monkeypatch.setattr(foreign_tables, "TIMEOUT", 0.05)
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                foreign_tables.rows(ALIAS, "SELECT 1")
        assert asked == [ALIAS]
    finally:
        over.set()
    for thread in foreign_tables._left_behind.values():
        thread.join(10)
    assert foreign_tables.rows(ALIAS, "SELECT 1") == []
    assert asked == [ALIAS] * 2
