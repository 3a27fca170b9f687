"""What the benchmarks share: the machine, databases of their own, processes' costs, tables."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

REPOSITORY = Path(__file__).resolve().parent.parent
SERVERS = {
    "postgresql": os.environ.get("POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/6"),
}


def machine() -> str:
    """The machine and the versions, in a line."""
    import celery
    import django

    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"Django {django.__version__}, Celery {celery.__version__}"
    )


@contextlib.contextmanager
def database(vendor: str) -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    name = f"z4jbench_{uuid.uuid4().hex[:8]}"
    if vendor == "sqlite":
        folder = tempfile.mkdtemp()
        try:
            yield f"sqlite:///{folder}/{name}.sqlite3"
        finally:
            shutil.rmtree(folder)
        return
    execute = _postgresql if vendor == "postgresql" else _mariadb
    execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(SERVERS[vendor])._replace(path=f"/{name}"))
    finally:
        execute(f"DROP DATABASE {name}{' WITH (FORCE)' if vendor == 'postgresql' else ''}")


def _postgresql(statement: str) -> None:
    import psycopg

    with psycopg.connect(SERVERS["postgresql"], autocommit=True) as connection:
        connection.execute(statement)


def _mariadb(statement: str) -> None:
    import pymysql

    url = urlsplit(SERVERS["mariadb"])
    connection = pymysql.connect(
        host=url.hostname, port=url.port or 3306, user=url.username, password=url.password or ""
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)


def cost(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and peak resident megabytes, of a process."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return cpu, int(peak.split()[1]) / 1024


def family(pid: int) -> list[int]:
    """A process and all that it has started, and those in turn."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def is_shipper(pid: int) -> bool:
    """Whether a process is a shipper of ours."""
    with contextlib.suppress(OSError):
        return b"z4j_django.agent.shipper_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, which is readable as it is."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    lines = []
    for line in [headings, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
