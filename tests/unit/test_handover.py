"""What a worker hands its shipper process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from psycopg import IsolationLevel

from z4j_django import handover, signals

#: What the other process makes of it.
TAKE = """
import json, sys
from z4j_django.store.writer import database_sink
sink = database_sink(sys.stdin.buffer.read())
from django.conf import settings
from z4j_django.conf import settings as ours
print(json.dumps({
    "database": settings.DATABASES["default"]["NAME"], "key": settings.SECRET_KEY,
    "success": ours.retention.tasks["SUCCESS"].total_seconds(), "project": ours.PROJECT,
    "apps": settings.INSTALLED_APPS, "celery": "celery" in sys.modules,
}))
"""


def test_a_process_makes_the_sink_of_what_it_was_given_and_loads_no_celery() -> None:
    z4j = {"RETENTION": {"SUCCESS": timedelta(hours=1.5), "default": "4w"}, "PROJECT": "shop"}
    with override_settings(Z4J=z4j):
        given = handover.give()
    command = [sys.executable, "-c", TAKE]
    made = subprocess.run(command, input=given, capture_output=True, check=True)
    assert json.loads(made.stdout) == {
        "database": str(connections.settings["default"]["NAME"]),
        "key": "not-a-secret-only-tests",
        "success": 5400.0,
        "project": "shop",
        "apps": ["z4j_django.handover.ShipperConfig"],
        "celery": False,
    }


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"ENGINE": "django.db.backends.postgresql"}, ""),
        ({"OPTIONS": {"isolation_level": IsolationLevel.SERIALIZABLE}}, ""),
        ({"ENGINE": "psqlextra.backend"}, "its database, psqlextra.backend, is not"),
        ({"OPTIONS": {"cursor_factory": dict}}, "what JSON can't carry"),
        ({"OPTIONS": {"hosts": ("a", "b")}}, "what JSON can't carry"),
    ],
)
def test_the_whole_project_is_wanted_only_where_the_database_needs_it(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], why: str
) -> None:
    for name, value in entry.items():
        monkeypatch.setitem(connections.settings["default"], name, value)
    assert why in handover.why_not()
    assert bool(handover.why_not()) is bool(why)
    assert bool(handover.give()) is not bool(why)


MAIL = """
import json, sys
from z4j_django.store.writer import database_sink
database_sink(sys.stdin.buffer.read())
from django.conf import settings
from z4j_django.alerts import links
told = settings.EMAIL_HOST, settings.DEFAULT_FROM_EMAIL, links.first_page()
print(json.dumps([*told, settings.is_overridden("EMAIL_PORT"), settings.NEWSLETTER_KEY]))
"""


def test_a_process_mails_as_the_project_does_and_knows_where_the_admin_is() -> None:
    with override_settings(
        EMAIL_HOST="mail.example",
        EMAIL_BACKEND="newsletter.backends.Mail",
        DEFAULT_FROM_EMAIL="shop@shop.example",
        EMAIL_TIMEOUT=object(),  # what JSON can't carry is left out
        NEWSLETTER_KEY="of the backend",
    ):
        given = handover.give(site={"root": "https://shop.example/admin/"})
    command = [sys.executable, "-c", MAIL]
    made = subprocess.run(command, input=given, capture_output=True, check=True)
    assert json.loads(made.stdout) == [
        "mail.example",
        "shop@shop.example",
        "https://shop.example/admin/z4j_django/",
        False,
        "of the backend",
    ]


def test_what_only_the_projects_own_code_can_do_wants_the_whole_project() -> None:
    def hear(**given: Any) -> None:
        pass

    assert not handover.why_not()
    signals.alert_changed.connect(hear)
    try:
        assert handover.why_not() == "its code listens to alert_changed"
    finally:
        signals.alert_changed.disconnect(hear)
    with override_settings(Z4J={"ALERTS": {"AUTOMATION": True}}):
        assert handover.why_not().startswith("rules may do something by themselves ")
        assert not handover.give()


def test_a_process_without_celery_knows_the_schedules_that_it_was_given() -> None:
    entry = {"name": "tick", "task": "shop.tick", "every": 30.0}
    given = handover.give(schedules={"entries": [entry], "tables": ""})
    code = """
import json, sys
from z4j_django.store.writer import database_sink
database_sink(sys.stdin.buffer.read())
from z4j_django.conditions import registry
from z4j_django.queries import timetable
[entry] = timetable.entries()
heavy = {"celery", "django.contrib.admin", "rest_framework"} & sys.modules.keys()
print(json.dumps([entry.name, str(entry.recurrence), sorted(heavy)]))
"""
    command = [sys.executable, "-c", code]
    made = subprocess.run(command, input=given, capture_output=True, check=True)
    assert json.loads(made.stdout) == ["tick", "every 30 s", []]
