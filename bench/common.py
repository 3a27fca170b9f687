"""What the benchmarks share: databases of their own, processes and their costs, a clean end."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

REPOSITORY = Path(__file__).resolve().parent.parent
#: Of all that a benchmark makes: databases, folders.
PREFIX = "z4jbench_"
SERVERS = {
    "postgresql": os.environ.get("POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
}
#: Seconds that a process has to end by itself before it is killed.
PATIENCE = 20.0


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    made.add_argument("--short", action="store_true", help="small sizes: minutes, not hours")
    made.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="print JSON instead of tables; with FILE, print the tables and write it there",
    )
    return made


def sized(options: argparse.Namespace, short: Mapping[str, Any], long: Mapping[str, Any]) -> None:
    """Fill the sizes that the command line left open."""
    for name, value in (short if options.short else long).items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def finish(document: Mapping[str, Any], text: str, to: str | None) -> None:
    """Print what was found, and write it where ``--json`` says."""
    if to == "-":
        print(json.dumps(document))
        return
    print(text, flush=True)
    if to:
        path = Path(to)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n")


def run(main: Callable[[], None]) -> None:
    """Call ``main`` so that Ctrl-C and SIGTERM end it with everything cleaned up."""

    def stop(number: int, frame: Any) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):  # cleaning up is not interrupted
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped; what the benchmark had made is removed.", file=sys.stderr)
        raise SystemExit(130) from None


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of ``values``, the lowest and the highest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def note(text: str) -> None:
    """Say on the terminal what goes on."""
    print(f"  {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database(vendor: str) -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    name = PREFIX + uuid.uuid4().hex[:8]
    if vendor == "sqlite":
        with scratch() as folder:
            yield f"sqlite:///{folder}/{name}.sqlite3"
        return
    try:
        execute(vendor, f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(SERVERS[vendor])._replace(path=f"/{name}"))
    finally:
        force = " WITH (FORCE)" if vendor == "postgresql" else ""
        execute(vendor, f"DROP DATABASE IF EXISTS {name}{force}")


def execute(vendor: str, statement: str) -> str:
    """Run one statement on a server, and return the first value it answers with."""
    if vendor == "postgresql":
        import psycopg

        with psycopg.connect(SERVERS[vendor], autocommit=True, connect_timeout=5) as postgresql:
            answer = postgresql.execute(statement)
            return str(answer.fetchone()[0]) if answer.description else ""
    import pymysql

    url = urlsplit(SERVERS[vendor])
    mariadb = pymysql.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        connect_timeout=5,
    )
    with contextlib.closing(mariadb), mariadb.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0]) if cursor.description else ""


def missing(vendor: str) -> str | None:
    """Why a database can't be measured here, if it can't."""
    if vendor == "sqlite":
        return None
    try:
        execute(vendor, "SELECT 1")
    except ImportError as error:
        return f"not installed: {error.name}"
    except Exception as error:  # each driver has its own
        return f"no server: {type(error).__name__}"
    return None


def environment(url: str, **more: str) -> dict[str, str]:
    """For a process of ``bench/project.py`` on the database at ``url``."""
    settings = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bench.project"}
    return {**os.environ, **settings, **more}


def python(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """What a Python process prints.

    Raises:
        SystemExit: If it fails; with what it said.
    """
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def migrate(env: Mapping[str, str]) -> None:
    """Make the tables of the project that ``env`` describes."""
    python(["-m", "django", "migrate", "--verbosity", "0"], env)


@contextlib.contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes to talk to it, which is gone afterwards, and all it started, too."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who then stop it
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Have a process end; what of its family is left after that is killed."""
    members = {pid: _born(pid) for pid in family(process.pid)} if process.poll() is None else {}
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    for pid, born in members.items():
        with contextlib.suppress(OSError):
            if _born(pid) == born:
                os.kill(pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def _born(pid: int) -> str:
    """When a process began, which tells it from a later one of the same number."""
    return _stat(pid)[19]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until ``condition`` holds.

    Raises:
        SystemExit: If it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {seconds:.0f} s in vain: {what}.")
        time.sleep(0.01)


def cost(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and peak resident megabytes, of a process."""
    ticks = _stat(pid)
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return cpu, int(peak.split()[1]) / 1024


def server_process() -> int | None:
    """The process that serves Django's connection, where PostgreSQL runs on this machine."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    return pid if Path(f"/proc/{pid}/schedstat").exists() else None


def run_time(pid: int) -> float:
    """What a process of one thread has run so far, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


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
