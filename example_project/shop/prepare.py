"""What has to stand before the demo can run: the database, its tables, a login, a schedule."""

from __future__ import annotations

import json

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from example_project.shop.tasks import nightly_report

_CREATE = {
    "postgresql": "psql {options} postgres -c 'CREATE DATABASE \"{NAME}\"'",
    "mysql": "mysql {options} -e 'CREATE DATABASE `{NAME}` CHARACTER SET utf8mb4'",
}


def database() -> bool:
    """Makes the tables where they are missing.

    Returns:
        Whether there was anything to migrate.

    Raises:
        CommandError: The database cannot be reached; the message says how to create it.
    """
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"No connection to the database: {error}{_remedy()}") from error
    executor = MigrationExecutor(connection)
    missing = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        call_command("migrate", verbosity=0)
    connection.close()
    return missing


def login() -> bool:
    """Makes the administrator ``admin`` with the password ``admin`` if there is none.

    Returns:
        Whether that login is what opens the admin.
    """
    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists():
        users.create_superuser("admin", "admin@example.com", "admin")
    admin = users.filter(username="admin", is_superuser=True).first()
    return admin is not None and admin.check_password("admin")


def token() -> str:
    """The token of the login that :func:`login` makes; empty where there is no such login."""
    if not login():
        return ""
    tokens = apps.get_model("authtoken", "Token").objects
    admin = get_user_model().objects.get(username="admin")
    return str(tokens.get_or_create(user=admin)[0].key)


def schedule() -> None:
    """Has beat send the nightly report; in the demo it is night every minute."""
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    every_minute, _ = intervals.get_or_create(every=1, period="minutes")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="nightly report",
        defaults={
            "task": nightly_report.name,
            "interval": every_minute,
            "args": json.dumps([["orders", "refunds", "stock"]]),
        },
    )


def _remedy() -> str:
    command = _CREATE.get(connection.vendor)
    if command is None:
        return ""
    entry = settings.DATABASES["default"]
    user = "-U" if connection.vendor == "postgresql" else "-u"
    port = "-p" if connection.vendor == "postgresql" else "-P"
    flags = (("-h", entry["HOST"]), (user, entry["USER"]), (port, entry["PORT"]))
    options = " ".join(f"{flag} {value}" for flag, value in flags if value)
    wanted = command.format(options=options, NAME=entry["NAME"])
    return f"\nIf the server runs and only the database is missing, create it:\n  {wanted}"
