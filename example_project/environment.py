"""What the environment says, as Django and Celery want it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_FORMS = (
    "sqlite:///path/to/file, postgresql://user:password@host:port/name"
    " or mysql://user:password@host:port/name"
)


def data_dir(base_dir: Path) -> Path:
    """The folder for all that the demo writes: ``DEMO_DIR``, or ``.demo`` below ``base_dir``.

    It is made if it does not exist.
    """
    folder = Path(os.environ.get("DEMO_DIR") or base_dir / ".demo").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_dir(base_dir: Path) -> Path:
    """The folder of this run: ``DEMO_RUN`` names one that shares nothing with other runs."""
    run = os.environ.get("DEMO_RUN")
    return data_dir(base_dir) / "runs" / run if run else data_dir(base_dir)


def queue() -> str:
    """The queue for every task of this run."""
    run = os.environ.get("DEMO_RUN")
    return f"shop-{run}" if run else "shop"


def database(url: str | None, base_dir: Path) -> dict[str, Any]:
    """An entry of ``DATABASES``.

    Args:
        url: As ``DATABASE_URL`` has it; ``None`` for SQLite in the demo's folder.
        base_dir: The project's root; relative SQLite paths start there.

    Raises:
        ImproperlyConfigured: The URL names no database that the shop knows.
    """
    if not url:
        return _sqlite(data_dir(base_dir) / "db.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and len(parts.path) > 1 and not parts.netloc:
        return _sqlite(base_dir / unquote(parts.path[1:]))
    if parts.scheme in {"postgres", "postgresql"}:
        return {"ENGINE": "django.db.backends.postgresql", **_server(parts)}
    if parts.scheme in {"mysql", "mariadb"}:
        return _mysql(parts)
    raise ImproperlyConfigured(f"DATABASE_URL begins with {parts.scheme!r}; it wants {_FORMS}.")


def broker(url: str | None, base_dir: Path) -> dict[str, Any]:
    """Celery's settings for the broker.

    Args:
        url: As ``CELERY_BROKER_URL`` has it; ``None`` for folders of this run.
        base_dir: The project's root.

    Returns:
        ``broker_url``, ``broker_transport``, ``broker_transport_options`` and
        ``worker_pool_putlocks``.
    """
    if url and not url.startswith("filesystem:"):
        return {
            "broker_url": url,
            "broker_transport": None,
            "broker_transport_options": {},
            "worker_pool_putlocks": True,
        }
    folder = run_dir(base_dir) / "broker"
    messages = str(folder / "messages")
    return {
        "broker_url": "filesystem://",
        "broker_transport": "example_project.filesystem:Transport",
        "broker_transport_options": {
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,  # seconds
        },
        # A worker without an event loop whose processes are all busy would wait for one of them
        # and hear nothing meanwhile: no order to terminate an import that never ends.
        "worker_pool_putlocks": False,
    }


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "timeout": 20,  # seconds
            "transaction_mode": "IMMEDIATE",
        },
    }


def _mysql(parts: SplitResult) -> dict[str, Any]:
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)  # the mysqlclient whose interface it offers
    pymysql.install_as_MySQLdb()
    return {
        "ENGINE": "django.db.backends.mysql",
        **_server(parts),
        "OPTIONS": {"charset": "utf8mb4", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"},
    }


def _server(parts: SplitResult) -> dict[str, Any]:
    name = unquote(parts.path.strip("/"))
    if not name:
        raise ImproperlyConfigured(f"DATABASE_URL names no database; it wants {_FORMS}.")
    return {
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }
