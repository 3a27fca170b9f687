"""Django's system checks for this app. ``docs/reference/checks.md`` has a row for each.

They register when the module is imported, which ``Z4JConfig.ready()`` does. Only the one that
Django runs where databases are named touches one; the journal's directory is looked at, never made.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec
from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router

from z4j_django import conf, exceptions, models, permissions, wiring
from z4j_django.agent import private, releases
from z4j_django.alerts import rules
from z4j_django.conditions import registry

TAG = "z4j"
SQLITE_TIMEOUT = 10  # seconds; sqlite3's own default is 5
SQLITE_OPTIONS = (
    '"OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", '
    '"timeout": 20, "transaction_mode": "IMMEDIATE"}'
)


@checks.register(TAG)
def check_setting(**kwargs: Any) -> list[checks.CheckMessage]:
    """E001: ``Z4J`` holds nothing that is unknown or of the wrong type."""
    problem = _problem_of_setting()
    if problem is None:
        return []
    return [checks.Error(problem, hint=_nearest_setting(), id="z4j_django.E001")]


@checks.register(TAG)
def check_conditions(**kwargs: Any) -> list[checks.CheckMessage]:
    """E006: ``Z4J["CONDITIONS"]`` names conditions and thresholds that there are."""
    if _problem_of_setting() is not None:
        return []
    try:
        registry.thresholds(conf.settings.CONDITIONS)
    except ImproperlyConfigured as error:
        hint = "docs/reference/conditions.md has all of them; until then the defaults count."
        return [checks.Error(str(error), hint=hint, id="z4j_django.E006")]
    return []


@checks.register(TAG)
def check_alerts(**kwargs: Any) -> list[checks.CheckMessage]:
    """E008: ``Z4J["ALERTS"]`` names channels and rules that can be."""
    if _problem_of_setting() is not None:
        return []
    hint = "docs/how-to/be-told.md has all of it; until then this one is passed over."
    return [checks.Error(one, hint=hint, id="z4j_django.E008") for one in rules.problems()]


@checks.register(TAG, checks.Tags.database)
def check_channels(
    databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W009: the rules of the settings name channels that there are, in them or in the database."""
    if _problem_of_setting() is not None or not conf.settings.ALERTS.RULES:
        return []
    alias = router.db_for_write(models.AlertChannel)
    table = models.AlertChannel._meta.db_table
    if alias not in (databases or ()):
        return []
    if table not in connections[alias].introspection.table_names():
        return []
    return [
        checks.Warning(
            f"Z4J['ALERTS']['RULES'][{rule!r}] names a channel {name!r} that there is not.",
            hint="Write it into Z4J['ALERTS']['CHANNELS'], or make it in the admin.",
            id="z4j_django.W009",
        )
        for rule, name in rules.missing_channels(conf.settings.PROJECT)
    ]


@checks.register(TAG)
def check_database(**kwargs: Any) -> list[checks.CheckMessage]:
    """E002, W001, W003, W005: the records' database exists, and bears several processes."""
    if _problem_of_setting() is not None:
        return []
    alias = conf.settings.DATABASE
    if alias is not None and alias not in django_settings.DATABASES:
        return [
            checks.Error(
                f'Z4J["DATABASE"] is "{alias}", which is not in DATABASES.',
                hint=f"DATABASES has: {', '.join(sorted(django_settings.DATABASES))}.",
                id="z4j_django.E002",
            )
        ]
    written_to = router.db_for_write(models.TaskRecord)
    found: list[checks.CheckMessage] = []
    if alias is not None and alias != written_to:
        found.append(
            checks.Warning(
                f'Z4J["DATABASE"] is "{alias}", but the routers send the records to '
                f'"{written_to}".',
                hint='Add "z4j_django.routers.Z4JRouter" at the head of DATABASE_ROUTERS.',
                id="z4j_django.W001",
            )
        )
    if conf.settings.enabled is not False:
        found += _check_options(alias or written_to)
    return found


@checks.register(TAG)
def check_celery_app(**kwargs: Any) -> list[checks.CheckMessage]:
    """E003, W002: the project's Celery app is found."""
    if not _records():
        return []
    try:
        found = wiring.find_celery_app()
    except exceptions.DiscoveryError as error:
        hint = "Or leave CELERY_APP out: the app is then looked for in the project's packages."
        return [checks.Error(str(error), hint=hint, id="z4j_django.E003")]
    if not found.is_default:
        return []
    looked_in = ", ".join(found.looked_in) or "nowhere: no setting names a package"
    return [
        checks.Warning(
            f"The project's Celery app was not found. Looked in: {looked_in}.",
            hint='Say where it is: CELERY_APP = "myproject.celery:app".',
            id="z4j_django.W002",
        )
    ]


@checks.register(TAG)
def check_journal(**kwargs: Any) -> list[checks.CheckMessage]:
    """E004, E005, W004, W008: the journal can be written, and by this user only."""
    if not _records() or conf.settings.DATABASE not in (None, *django_settings.DATABASES):
        return []
    if importlib.util.find_spec("fcntl") is None:
        return [
            checks.Warning(
                "No task is recorded here: this platform has no fcntl, whose locks the journal "
                "needs.",
                hint='Run workers on Linux or macOS; here set Z4J["ENABLED"] = False.',
                id="z4j_django.W004",
            )
        ]
    directory = wiring.journal_directory()
    if not directory.is_absolute():
        return [
            checks.Error(
                f'Z4J["JOURNAL_DIR"] is "{directory}", which is not absolute.',
                hint="Processes start in different directories; write it from the root.",
                id="z4j_django.E004",
            )
        ]
    found: list[checks.CheckMessage] = []
    if (taken := wiring.taken_by()) is not None:
        found.append(
            checks.Warning(
                f"The journal lies in {directory}: {taken[0]} is user {taken[1]}'s.",
                hint='Set Z4J["JOURNAL_DIR"] to a directory of your own; what is in use is then '
                "left to ship.",
                id="z4j_django.W008",
            )
        )
    if (problem := _problem_of_directory(directory)) is not None:
        hint = "Tasks run on, but without records, until this is mended."
        found.append(checks.Error(problem, hint=hint, id="z4j_django.E005"))
    return found


@checks.register(TAG)
def check_release(**kwargs: Any) -> list[checks.CheckMessage]:
    """E007: what is to tell the release is there."""
    if not _records() or not releases.is_callable(path := conf.settings.RELEASE or ""):
        return []
    try:
        if callable(releases.load(path)):
            return []
        problem = "it can't be called"
    except Exception as error:  # whatever the project's module raises
        problem = f"{type(error).__name__}: {error}"
    return [
        checks.Error(
            f'Z4J["RELEASE"] is "{path}", which is no function: {problem}.',
            hint="A text of the form module:function is taken for one. Tasks run on, of no known "
            "release, until this is mended.",
            id="z4j_django.E007",
        )
    ]


@checks.register(TAG)
def check_users(**kwargs: Any) -> list[checks.CheckMessage]:
    """W006: the project's users can be in Django's groups, which the roles are."""
    name = django_settings.AUTH_USER_MODEL
    try:
        fields = apps.get_model(name)._meta.get_fields()
        group = apps.get_model("auth.Group")
    except (LookupError, ValueError):  # Django's own check says so, where there are users
        return []
    if group in {field.related_model for field in fields}:
        return []
    return [
        checks.Warning(
            f'Users of "{name}" can be in no group of Django, so the roles '
            f"{', '.join(permissions.ROLES)} give nobody a permission.",
            hint="Let its has_perm() answer for the permissions in docs/reference/operations.md; "
            'then write SILENCED_SYSTEM_CHECKS = ["z4j_django.W006"].',
            id="z4j_django.W006",
        )
    ]


@checks.register(TAG, checks.Tags.database)
def check_character_sets(
    databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W007: every column of text holds every text. Run by ``migrate``, and with ``--database``."""
    if _problem_of_setting() is not None:
        return []
    alias = router.db_for_write(models.TaskRecord)
    if alias not in (databases or ()) or connections[alias].vendor != "mysql":
        return []
    if not (found := dict(_narrow_columns(connections[alias]))):
        return []
    return [
        checks.Warning(
            f"In the records' database \"{alias}\" these columns can't hold every text: "
            f"{', '.join(found)}. Of a task that has such a text, the text is not recorded.",
            hint=f"Run: {' '.join(found.values())}",
            id="z4j_django.W007",
        )
    ]


def _narrow_columns(connection: Any) -> Iterator[tuple[str, str]]:
    """The columns of text that are not in ``utf8mb4``, and what makes each so."""
    ours = {model._meta.db_table: model for model in apps.get_app_config("z4j_django").get_models()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = "
            "DATABASE() AND table_name IN %s AND character_set_name <> 'utf8mb4' ORDER BY 1, 2",
            [tuple(ours)],
        )
        narrow = cursor.fetchall()
    editor = connection.schema_editor(collect_sql=True)
    for table, column in narrow:
        model = ours[table]
        fields = [field for field in model._meta.local_fields if field.column == column]
        for field in fields:  # none, where a newer version made the column
            wanted, params = editor.column_sql(model, field)
            wanted %= tuple(map(editor.quote_value, params))
            quoted = [connection.ops.quote_name(name) for name in (table, column)]
            yield f"{table}.{column}", f"ALTER TABLE {quoted[0]} MODIFY {quoted[1]} {wanted};"


def _records() -> bool:
    return _problem_of_setting() is None and conf.settings.enabled is not False


def _problem_of_setting() -> str | None:
    try:
        conf.settings.enabled  # noqa: B018  # loads the setting
    except ImproperlyConfigured as error:
        return str(error)
    return None


def _nearest_setting() -> str:
    names = [field.name for field in msgspec.structs.fields(conf.Settings)]
    given = django_settings.Z4J
    if isinstance(given, dict):
        for name in given:
            near = difflib.get_close_matches(str(name).upper(), names, n=1)
            if name not in names and near:
                return f'Did you mean "{near[0]}"?'
    return f"Z4J is a dictionary; it may hold {', '.join(names)}."


def _check_options(alias: str) -> Iterator[checks.CheckMessage]:
    connection = connections[alias]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "sqlite":
        if missing := list(_missing_in_sqlite(options)):
            yield checks.Warning(
                f'The records\' database "{alias}" is SQLite without {", ".join(missing)}: under a '
                'busy worker it answers "database is locked".',
                hint=f'In DATABASES["{alias}"] write {SQLITE_OPTIONS}.',
                id="z4j_django.W003",
            )
    elif connection.vendor == "mysql" and options.get("charset", "utf8mb4") != "utf8mb4":
        yield checks.Warning(
            f'The records\' database "{alias}" is used with the character set '
            f"{options['charset']}, which can't hold every text that a task may have.",
            hint=f'In DATABASES["{alias}"]["OPTIONS"] write "charset": "utf8mb4".',
            id="z4j_django.W005",
        )


def _missing_in_sqlite(options: dict[str, Any]) -> Iterator[str]:
    if not re.search(r"journal_mode\s*=\s*wal", str(options.get("init_command")), re.IGNORECASE):
        yield "WAL"
    if options.get("timeout", 0) < SQLITE_TIMEOUT:
        yield f"a timeout of {SQLITE_TIMEOUT} s or more"
    if str(options.get("transaction_mode")).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield "IMMEDIATE transactions"


def _problem_of_directory(directory: Path) -> str | None:
    if not os.path.lexists(directory):
        parent = next(parent for parent in directory.parents if os.path.lexists(parent))
        if not parent.is_dir():
            return f"The journal directory {directory} can't be made: {parent} is not a directory."
        if not os.access(parent, os.W_OK | os.X_OK):
            return f"The journal directory {directory} can't be made: {parent} is not writable."
        return None
    try:
        private.make(directory)
    except (exceptions.JournalError, OSError) as error:
        return str(error)
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return f"The journal directory {directory} is not writable; run: chmod 700 {directory}"
    return None
