"""What the project's settings say of Celery and of the journal: its app, a directory, a config.

The one place that sees both the agent and Django.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import router

from z4j_django.agent import bootstrap, discovery
from z4j_django.conf import settings
from z4j_django.exceptions import DiscoveryError

#: Survives a restart of the machine, unlike /tmp.
JOURNALS = "/var/tmp"  # noqa: S108  # the directory in it is private, and its owner is checked


def agent_config() -> bootstrap.Config:
    """What the agent needs to know of the project.

    Raises:
        ImproperlyConfigured: If ``Z4J`` is wrong.
    """
    journal_directory()  # a wrong database is to be told now, not at the first event
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    return bootstrap.Config(
        find_directory=journal_directory,
        project=settings.PROJECT,
        sink="z4j_django.store.writer:database_sink",
        describe_app=describe_celery_app,
        framework="django",
        # A project configured by code has no settings that another process could load.
        shipping=settings.SHIPPER if module or settings.SHIPPER == "external" else "thread",
        max_bytes=settings.JOURNAL_MAX_BYTES,
        sampling=settings.sampling,
        payload_limit=settings.payload_limit,
        under_tests=settings.enabled is True,
    )


def journal_directory() -> Path:
    """``Z4J["JOURNAL_DIR"]``, or a directory private to the user, project and database.

    All processes of a project come to the same one, in a new release's directory too; two
    projects of one user come to different ones.
    """
    if settings.JOURNAL_DIR is not None:
        return Path(settings.JOURNAL_DIR)
    alias = settings.DATABASE or router.db_for_write(apps.get_model("z4j_django", "TaskRecord"))
    if alias not in django_settings.DATABASES:
        raise ImproperlyConfigured(f"Z4J['DATABASE'] names {alias!r}, which is not in DATABASES.")
    database = django_settings.DATABASES[alias]
    identity = [settings.PROJECT, os.environ.get("DJANGO_SETTINGS_MODULE")]
    identity += [str(database.get(key, "")) for key in ("ENGINE", "HOST", "PORT", "NAME")]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    parent = JOURNALS if os.path.isdir(JOURNALS) else tempfile.gettempdir()
    return Path(parent) / f"z4j-{os.geteuid()}-{digest}"


def find_celery_app() -> discovery.Found:
    """The project's Celery app.

    Raises:
        DiscoveryError: If ``CELERY_APP`` names none.
    """
    return discovery.find_app(getattr(django_settings, "CELERY_APP", None), list(_packages()))


def describe_celery_app() -> str:
    """The app's path, for a log line."""
    try:
        return find_celery_app().path
    except DiscoveryError as error:
        return f"not found: {error}"


def _packages() -> Iterator[str]:
    """Where the project's Celery app may be, the likeliest first."""
    for name in ("ROOT_URLCONF", "WSGI_APPLICATION", "ASGI_APPLICATION"):
        value = getattr(django_settings, name, None)
        if isinstance(value, str) and value:
            yield value
    if base_dir := getattr(django_settings, "BASE_DIR", None):
        yield Path(base_dir).name
