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

from z4j_django import signals
from z4j_django.conf import settings

#: Engines that come with Django, and are what they say without an app beside them.
_ENGINES: Final = "django.db.backends."

#: What was taken beside the settings: ``broker``, ``schedules``, ``results``.
_told: Mapping[str, Any] = {}


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


def give(**told: Mapping[str, Any]) -> bytes:
    """What a shipper needs, as JSON; empty where it has to load the whole project.

    Args:
        **told: What ``wiring`` tells of the ``broker``, the ``schedules`` and the ``results``. Of
            what lies in ``tables``, the database of this alias is handed over, too.
    """
    if why_not():
        return b""
    found, there = _settings(), {}
    for name, one in told.items():
        there[name] = {**one, "tables": ""}
        if (here := one.get("tables", "")) == alias():
            there[name]["tables"] = "default"
        elif here and not _why_not(here):
            found["DATABASES"][name] = _entry(here)
            there[name]["tables"] = name
    return msgspec.json.encode({**found, "TOLD": there})


def why_not() -> str:
    """Why a shipper has to load the whole project, in words; empty where it does not."""
    if reason := _why_not(alias()) or _wanted_besides():
        return reason
    return "" if _is_carried(_settings()) else "its secret key or Z4J hold what JSON can't carry"


def _wanted_besides() -> str:
    """What only the project's own code can do."""
    if settings.ALERTS.AUTOMATION:
        return "rules may do something by themselves (Z4J['ALERTS']['AUTOMATION'])"
    return "its code listens to alert_changed" if signals.alert_changed.receivers else ""


def _why_not(alias: str) -> str:
    engine = connections.settings[alias]["ENGINE"]
    if not engine.startswith(_ENGINES):
        return f"the engine of its database, {engine}, is not one of Django's own"
    return "" if _is_carried(_entry(alias)) else "its database's OPTIONS hold what JSON can't carry"


def _is_carried(given: Mapping[str, Any]) -> bool:
    """Whether it is the same again after it was JSON."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(given)) == given)
    except (TypeError, ValueError):  # nothing that JSON knows, or no text
        return False


def take(given: bytes) -> None:
    """Set Django up in a process that was given this, without its logging and its addresses."""
    global _told
    found = msgspec.json.decode(given)
    _told = found.pop("TOLD")
    if version := found.pop("PYMYSQL"):
        import pymysql

        pymysql.version_info = tuple(version)
        pymysql.install_as_MySQLdb()
    ages = found["Z4J"]["RETENTION"]
    found["Z4J"]["RETENTION"] = {name: _age(age) for name, age in ages.items()}
    django_settings.configure(**found)
    apps.populate(django_settings.INSTALLED_APPS)


def told(name: str) -> Mapping[str, Any] | None:
    """What this process was given of that name; ``None`` where it has the project itself."""
    return _told.get(name)


def _settings() -> dict[str, Any]:
    z4j = {"RETENTION": {}, **getattr(django_settings, "Z4J", {}), "DATABASE": None}
    z4j["RETENTION"] = {
        name: age.total_seconds() if isinstance(age, timedelta) else age
        for name, age in (z4j["RETENTION"] or {}).items()
    }
    return {
        "INSTALLED_APPS": [f"{__name__}.{ShipperConfig.__name__}"],
        "DATABASES": {"default": _entry(alias())},
        "SECRET_KEY": django_settings.SECRET_KEY,
        "SECRET_KEY_FALLBACKS": list(django_settings.SECRET_KEY_FALLBACKS),
        "TIME_ZONE": django_settings.TIME_ZONE,
        "USE_TZ": django_settings.USE_TZ,
        **_mail(),
        "LOGGING_CONFIG": None,  # what it says, the worker logs
        "PYMYSQL": _pymysql(),
        "Z4J": {**z4j, "JOURNAL_DIR": None},
    }


def _mail() -> dict[str, Any]:
    """How the project sends mail, as far as it says so."""
    backend = str(getattr(django_settings, "EMAIL_BACKEND", ""))
    own = "" if backend.startswith("django.") else backend.partition(".")[0].upper()
    names = {"DEFAULT_FROM_EMAIL", "SERVER_EMAIL", "MAILERS"}
    said = {
        name: getattr(django_settings, name)
        for name in dir(django_settings)
        if name in names or name.startswith(("EMAIL_", own or "EMAIL_"))
        if django_settings.is_overridden(name)  # type: ignore[misc]  # unknown to the stubs
    }
    return {name: value for name, value in said.items() if _is_carried({name: value})}


def _entry(alias: str) -> dict[str, Any]:
    entry = {name: value for name, value in connections.settings[alias].items() if name != "TEST"}
    return {**entry, "NAME": _text(entry["NAME"])}


def _pymysql() -> list[Any]:
    """The version as which PyMySQL stands in the place of mysqlclient; empty where it does not."""
    driver = sys.modules.get("MySQLdb")
    return list(driver.version_info) if driver and driver.__name__ == "pymysql" else []


def _age(given: Any) -> Any:
    return timedelta(seconds=given) if isinstance(given, float) else given


def _text(name: Any) -> Any:
    return str(name) if isinstance(name, Path) else name
