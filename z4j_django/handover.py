"""What a worker hands its shipper process, which then needs nothing else of the project.

A project may take hundreds of megabytes, or be set up in a way that no second process can repeat.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router

from z4j_django.conf import settings

#: Engines that come with Django, and are what they say without an app beside them.
_ENGINES: Final = "django.db.backends."

#: The broker and the schedules that were taken.
_broker: Mapping[str, Any] | None = None
_schedules: Mapping[str, Any] | None = None


class ShipperConfig(AppConfig):
    """This app where nothing but the store is needed: it registers nothing and records nothing."""

    name = "z4j_django"
    default_auto_field = "django.db.models.BigAutoField"


def alias() -> str:
    """The alias of the database that holds the records.

    Raises:
        ImproperlyConfigured: If there is no such database.
    """
    found = settings.DATABASE or router.db_for_write(apps.get_model("z4j_django", "TaskRecord"))
    if found not in django_settings.DATABASES:
        raise ImproperlyConfigured(f"Z4J['DATABASE'] names {found!r}, which is not in DATABASES.")
    return str(found)


def give(
    broker: Mapping[str, Any] | None = None, schedules: Mapping[str, Any] | None = None
) -> bytes:
    """What a shipper needs, as JSON; empty where it has to load the whole project.

    Args:
        broker: What ``broker.describe`` tells of it.
        schedules: What ``wiring.schedules`` tells of them.
    """
    return (
        b""
        if why_not()
        else msgspec.json.encode({**_settings(), "BROKER": broker, "SCHEDULES": schedules})
    )


def why_not() -> str:
    """Why a shipper has to load the whole project, in words; empty where it does not."""
    engine = connections.settings[alias()]["ENGINE"]
    if not engine.startswith(_ENGINES):
        return f"the engine of its database, {engine}, is not one of Django's own"
    try:
        given = _settings()
        if msgspec.json.decode(msgspec.json.encode(given)) == given:
            return ""
    except (TypeError, ValueError):  # nothing that JSON knows, or no text
        pass
    return "its database's OPTIONS, its secret key or Z4J hold what JSON can't carry"


def take(given: bytes) -> None:
    """Set Django up in a process that was given this, without its logging and its addresses."""
    global _broker, _schedules
    found = msgspec.json.decode(given)
    _broker, _schedules = found.pop("BROKER"), found.pop("SCHEDULES")
    if version := found.pop("PYMYSQL"):
        import pymysql

        pymysql.version_info = tuple(version)
        pymysql.install_as_MySQLdb()
    ages = found["Z4J"]["RETENTION"]
    found["Z4J"]["RETENTION"] = {name: _age(age) for name, age in ages.items()}
    django_settings.configure(**found)
    apps.populate(django_settings.INSTALLED_APPS)


def broker() -> Mapping[str, Any] | None:
    """The broker that this process was given; ``None`` where it has the project itself."""
    return _broker


def schedules() -> Mapping[str, Any] | None:
    """The schedules that this process was given; ``None`` likewise."""
    return _schedules


def _settings() -> dict[str, Any]:
    entry = {name: value for name, value in connections.settings[alias()].items() if name != "TEST"}
    z4j = {"RETENTION": {}, **getattr(django_settings, "Z4J", {}), "DATABASE": None}
    z4j["RETENTION"] = {
        name: age.total_seconds() if isinstance(age, timedelta) else age
        for name, age in (z4j["RETENTION"] or {}).items()
    }
    return {
        "INSTALLED_APPS": [f"{__name__}.{ShipperConfig.__name__}"],
        "DATABASES": {"default": {**entry, "NAME": _text(entry["NAME"])}},
        "SECRET_KEY": django_settings.SECRET_KEY,
        "SECRET_KEY_FALLBACKS": list(django_settings.SECRET_KEY_FALLBACKS),
        "TIME_ZONE": django_settings.TIME_ZONE,
        "USE_TZ": django_settings.USE_TZ,
        "LOGGING_CONFIG": None,  # what it says, the worker logs
        "PYMYSQL": _pymysql(),
        "Z4J": {**z4j, "JOURNAL_DIR": None},
    }


def _pymysql() -> list[Any]:
    """The version as which PyMySQL stands in the place of mysqlclient; empty where it does not."""
    driver = sys.modules.get("MySQLdb")
    return list(driver.version_info) if driver and driver.__name__ == "pymysql" else []


def _age(given: Any) -> Any:
    return timedelta(seconds=given) if isinstance(given, float) else given


def _text(name: Any) -> Any:
    return str(name) if isinstance(name, Path) else name
