"""What the project's settings say of Celery and of the journal: its app, a directory, a config.

The one place that sees both the agent and Django.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pwd
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.urls import reverse
from django.utils.crypto import salted_hmac

from z4j_django import broker, handover, logs, result_backend, values
from z4j_django.agent import discovery, releases, timetable
from z4j_django.agent.config import Config
from z4j_django.conf import settings
from z4j_django.exceptions import DiscoveryError
from z4j_django.timeouts import within

logger = logs.logger(__name__)

#: Survives a restart of the machine, unlike /tmp.
JOURNALS = "/var/tmp"  # noqa: S108  # the directory in it is private, and its owner is checked

#: Seconds in which the database has to tell the site's domain.
_SITE = 5.0

#: Directories whose names nobody else knows before they are there.
HIDDEN = 8


def agent_config() -> Config:
    """What the agent needs to know of the project.

    Raises:
        ImproperlyConfigured: If ``Z4J`` is wrong.
    """
    journal_directory()  # a wrong database is to be told now, not at the first event
    return Config(
        find_directory=_find_directory,
        project=settings.PROJECT,
        sink="z4j_django.store.writer:database_sink",
        skips="z4j_django.operations.skips:exchange",
        describe_app=describe_celery_app,
        framework="django",
        hand_over=hand_over,
        find_release=functools.partial(releases.find, settings.RELEASE, _project_directory()),
        shipping=settings.SHIPPER if _can_be_loaded() else "thread",
        max_bytes=settings.JOURNAL_MAX_BYTES,
        sampling=settings.sampling,
        payload_limit=settings.payload_limit,
        log_level=settings.log_level,
        stack_signal=settings.STACK_SIGNAL or "",
        under_tests=settings.enabled is True,
    )


def hand_over() -> bytes:
    """What a shipper process is given, logged where that is nothing (see ``handover``)."""
    given = handover.give(
        broker=describe_broker(),
        schedules=schedules(),
        results=describe_results(),
        site={"root": site_root()},
    )
    if not given:
        logger.warning("The shipper loads the whole project: %s.", handover.why_not())
    return given


def schedules() -> dict[str, Any]:
    """What is known of the tasks that beat has to send, without a look at any table.

    Returns:
        ``entries`` of the app's own schedule, as ``agent.timetable`` describes them; and the alias
        of the database with the ``tables`` of django-celery-beat, empty where there are none.
    """
    try:
        entries = timetable.describe(find_celery_app().app, settings.sampling)
    except Exception as error:  # whatever the app's settings hold
        logger.debug("The app's schedule can't be read: %s", error)
        entries = []
    return {"entries": entries, "tables": _tables("django_celery_beat", "PeriodicTask")}


def _tables(app: str, model: str) -> str:
    """The alias of the database that has the tables of an app."""
    return router.db_for_read(apps.get_model(app, model)) if apps.is_installed(app) else ""


def describe_results() -> dict[str, Any]:
    """What a shipper needs to ask the result backend how far it has counted a chord's members."""
    try:
        found = result_backend.describe(find_celery_app().app)
    except Exception as error:  # likewise
        return {"kind": "", "polls": False, "unknown": f"{type(error).__name__}: {error}"}
    is_django = found["kind"] == result_backend.DJANGO
    return {
        **found,
        "tables": _tables("django_celery_results", "ChordCounter") if is_django else "",
    }


def _domain() -> str:
    from django.contrib.sites.models import Site

    try:
        return str(Site.objects.get_current().domain)
    finally:
        connections[router.db_for_read(Site)].close()  # this thread's own


@functools.cache
def site_root() -> str:
    """The absolute address of the admin, as the sites framework has it; empty without that."""
    if settings.BASE_URL or not apps.is_installed("django.contrib.sites"):
        return ""
    try:
        domain = within(_SITE, _domain)
    except Exception as error:  # whatever a database raises, or a site that is not there
        logger.debug("The site is not known: %s", type(error).__name__)
        return ""
    try:
        path = reverse("admin:index")
    except Exception:  # whatever the project's addresses import
        path = "/admin/"
    found = f"{'http' if django_settings.DEBUG else 'https'}://{domain}{path}"
    return found if values.is_address(found) else ""


def describe_broker() -> dict[str, Any]:
    """What a shipper needs to ask the broker how many messages wait, and how it delivers them."""
    try:
        return broker.describe(find_celery_app().app)
    except Exception as error:  # whatever the app's settings hold: the shipper ships all the same
        return {"queues": [], "connection": {}, "unknown": f"{type(error).__name__}: {error}"}


def journal_directory() -> Path:
    """``Z4J["JOURNAL_DIR"]``, or a directory private to the user, project and database.

    All processes of a project come to the same one, in a new release's directory too; two
    projects of one user come to different ones. Where another user has taken it, it is one of the
    same name in the user's state; where there can be none, one beside the first. It then stays
    that: the last one that is ours.
    """
    if settings.JOURNAL_DIR is not None:
        return Path(settings.JOURNAL_DIR)
    usual = _usual_directory()
    spare = [_state_home() / usual.name, *_hidden_directories(usual)]
    ours = [path for path in spare if _owner(path) == os.geteuid() and _is_usable(path)]
    if ours:
        return ours[-1]
    if taken_by() is None:
        return usual
    free = (path for path in spare if _owner(path) is None and _is_usable(path))
    return next(free, spare[0])


def taken_by() -> tuple[Path, int] | None:
    """The directory that the journal would be in, and the other user who has taken it."""
    if settings.JOURNAL_DIR is not None:
        return None
    usual = _usual_directory()
    owner = _owner(usual)
    return None if owner in (None, os.geteuid()) else (usual, owner)


def _usual_directory() -> Path:
    database = django_settings.DATABASES[handover.alias()]
    identity = [settings.PROJECT, os.environ.get("DJANGO_SETTINGS_MODULE")]
    identity += [str(database.get(key, "")) for key in ("ENGINE", "HOST", "PORT", "NAME")]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    parent = JOURNALS if os.path.isdir(JOURNALS) else tempfile.gettempdir()
    return Path(parent) / f"z4j-{os.geteuid()}-{digest}"


def _hidden_directories(usual: Path) -> Iterator[Path]:
    """Those beside the usual one whose names tell nothing to who has no key of the project.

    Nobody takes what he can't name, and every process can name it, at any time and without the
    database. Its name is known once it is there: for who takes it when it was deleted, there are
    others.
    """
    try:
        keys = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    except ImproperlyConfigured:
        return
    for key in keys:
        for number in range(HIDDEN):
            value = f"{usual.name} {number}"
            name = salted_hmac(__name__, value, key, algorithm="sha256").hexdigest()[:32]
            yield usual.with_name(f"z4j-{os.geteuid()}-{name}")


def _is_usable(path: Path) -> bool:
    """Whether we may write in it, or make it."""
    there = next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
    return path.is_absolute() and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _state_home() -> Path:
    """Where the XDG Base Directory Specification has a user's state.

    The home is that of the user database: ``HOME`` may be another's, as under ``sudo``.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(given):
        return Path(given)
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container's user without a name
        home = os.path.expanduser("~")
    return Path(home) / ".local" / "state"


def _owner(path: Path) -> int | None:
    """Whose it is, link or not; ``None`` where it is not there, or can't be seen."""
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _find_directory() -> Path:
    """The journal's directory, for a process that records: it logs one that is not the usual."""
    directory, taken = journal_directory(), taken_by()
    if taken is not None:
        _log_once(f"{taken[0]} is user {taken[1]}'s: the journal lies in {directory}.")
    return directory


@functools.cache
def _log_once(line: str) -> None:
    logger.warning(line)


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


def _project_directory() -> Path | None:
    """Where the project is: ``BASE_DIR``, or else the directory of its settings' package."""
    if base := getattr(django_settings, "BASE_DIR", None):
        return Path(base)
    module = sys.modules.get(os.environ.get("DJANGO_SETTINGS_MODULE", ""))
    path = getattr(module, "__file__", None)
    return Path(path).parent if path else None


def _can_be_loaded() -> bool:
    """Whether another process could ship, if it is to: settings made by code have no module."""
    if settings.SHIPPER == "external" or os.environ.get("DJANGO_SETTINGS_MODULE"):
        return True
    return not handover.why_not()


def _packages() -> Iterator[str]:
    """Where the project's Celery app may be, the likeliest first."""
    for name in ("ROOT_URLCONF", "WSGI_APPLICATION", "ASGI_APPLICATION"):
        value = getattr(django_settings, name, None)
        if isinstance(value, str) and value:
            yield value
    if base_dir := getattr(django_settings, "BASE_DIR", None):
        yield Path(base_dir).name
