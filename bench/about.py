"""On what a benchmark ran: the machine, the versions, the day."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import common

#: Packages whose version says something about a figure, where they are installed.
PACKAGES = ("django-z4j", "Django", "celery", "kombu", "msgspec", "psycopg", "PyMySQL", "redis")
#: Of the machine before the benchmark began.
LOAD = os.getloadavg()[0]


def document(
    benchmark: str,
    compared: str,
    settings: Mapping[str, Any],
    results: Any,
    *,
    servers: Iterable[str] = (),
    packages: Iterable[str] = (),
) -> dict[str, Any]:
    """One JSON document about one run of a benchmark.

    Args:
        benchmark: Its name.
        compared: What was compared with what, in a sentence.
        settings: Sizes and rounds.
        results: What was found.
        servers: Databases whose versions matter.
        packages: What else was compared with, where it is installed.
    """
    return {
        "benchmark": benchmark,
        "taken": datetime.now(UTC).strftime("%Y-%m-%d"),
        "compared": compared,
        "machine": machine(),
        "versions": versions(packages) | {name: server(name) for name in servers},
        "settings": dict(settings),
        "results": results,
    }


def machine() -> dict[str, Any]:
    """What the processes ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1024**3),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(LOAD, 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Of Python and the packages that are installed."""
    found = {"Python": platform.python_version()}
    for name in (*PACKAGES, *more):
        if (version := version_of(name)) is not None:
            found[name] = version
    return found


def version_of(package: str) -> str | None:
    """The version of a package, where it is installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def server(vendor: str) -> str:
    """The version of a database."""
    if vendor == "sqlite":
        import sqlite3

        return sqlite3.sqlite_version
    query = "SHOW server_version" if vendor == "postgresql" else "SELECT version()"
    return common.execute(vendor, query).split()[0]
