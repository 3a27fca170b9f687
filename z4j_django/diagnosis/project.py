"""The settings, the Celery app and the database."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks as django_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

from z4j_django import conf, exceptions, models, wiring
from z4j_django.checks import TAG, check_character_sets
from z4j_django.diagnosis import records
from z4j_django.diagnosis.findings import Finding, Visit, error, ok, reason, warning


def settings(visit: Visit) -> Iterator[Finding]:
    """What ``manage.py check --tag z4j`` says, and whether anything is recorded at all."""
    messages = django_checks.run_checks(tags=[TAG])
    for message in messages:
        finding = error if message.level >= django_checks.ERROR else warning
        yield finding(f"{message.msg} ({message.id})", message.hint or "")
    if any(message.id == "z4j_django.E001" for message in messages):
        return
    if not messages:
        yield ok("The settings are valid.")
    if conf.settings.enabled is False:
        yield warning(
            "Nothing is recorded: Z4J['ENABLED'] is False, or Z4J_DISABLED=1 is in the environment "
            "of this command.",
            "Take that away, and restart the workers and the site.",
        )


def celery_app(visit: Visit) -> Iterator[Finding]:
    """The app that the workers run; the settings' checks say why there is none."""
    try:
        found = wiring.find_celery_app()
    except exceptions.DiscoveryError:
        return
    for line in visit.log:
        yield warning(line, "Mend that module, or name the app in CELERY_APP.")
    visit.log.clear()
    if found.is_default:  # made up by Celery: its broker is whatever listens on this host
        yield error(
            "The project has no Celery app, or none that is found: no broker and no worker is "
            "asked.",
            'Say where it is: CELERY_APP = "myproject.celery:app". How to make one is in '
            "docs/how-to/add-to-a-project.md.",
        )
        return
    visit.app = found.app
    yield ok(f"The Celery app is {found.path}.")


def database(visit: Visit) -> Iterator[Finding]:
    """Whether the records' database answers and has its tables."""
    try:
        alias = router.db_for_write(models.TaskRecord)
        behind, narrow = records.read(
            visit.timeout,
            lambda: (_unapplied(alias), check_character_sets(databases=[alias])),
        )
    except (ImproperlyConfigured, KeyError, ValueError):
        return  # the checks say it
    except Exception as problem:  # whatever a driver raises
        yield error(
            f"The database can't be used: {reason(problem)}",
            "Start it, or correct DATABASES. Until then the journal keeps what is recorded, up to "
            "Z4J['JOURNAL_MAX_BYTES'].",
        )
        return
    if behind:
        few = ", ".join(behind)
        yield error(
            f'The database "{alias}" answers, but lacks migrations of this app: {few}.',
            f"Run: python manage.py migrate z4j_django --database {alias}",
        )
        return
    visit.database = True
    yield from (warning(f"{message.msg} ({message.id})", message.hint or "") for message in narrow)
    vendor = connections[alias].vendor
    yield ok(f'The database "{alias}" ({vendor}) answers, and its tables are up to date.')


def _unapplied(alias: str) -> list[str]:
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes("z4j_django"))
    return [migration.name for migration, _ in plan if migration.app_label == "z4j_django"]
