"""Brokers and databases that can be broken: nobody else uses them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import psycopg
from redis import Redis, RedisError

from tests.process.harness.processes import PATIENCE
from tests.process.harness.waiting import wait_until

#: Where Debian has the programs of a PostgreSQL server.
_POSTGRESQL: Final = "/usr/lib/postgresql"


class Database(Protocol):
    """A database that goes away and comes back."""

    url: str

    def go_away(self) -> None:
        """Refuse everybody; cut off who is in the middle of something."""

    def come_back(self) -> None:
        """Take connections again."""

    def break_a_transaction(self, shippers: Sequence[int]) -> bool:
        """End a shipper's transaction before its commit, if one runs at this moment."""


class PostgreSQL:
    """A cluster of its own. It keeps to its durability, but for the machine's power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self._programs = postgresql_programs()
        self._away = True
        folder.mkdir()
        if self._user:
            shutil.chown(folder, **self._user)
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.come_back()

    def go_away(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")
        self._away = True

    def come_back(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c fsync=off -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", options)
        self._away = False

    def stop(self) -> None:
        """End it."""
        if not self._away:
            self.go_away()

    def break_a_transaction(self, shippers: Sequence[int]) -> bool:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL"
            ).fetchone()
        if not row or not row[0]:
            return False
        self.go_away()
        self.come_back()
        return True

    def _run(self, program: str, *arguments: str) -> None:
        ended = subprocess.run(
            [self._programs / program, "-D", self.folder / "data", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a server keeps what it was started with
            stderr=subprocess.DEVNULL,
            check=False,
            **self._user,
        )
        if ended.returncode:
            log = self.folder / "log"
            told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} {arguments} ended with {ended.returncode}\n{told}")


class SQLite:
    """A file. While it is away, someone else has it locked and whoever asks is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self._lock: sqlite3.Connection | None = None

    def go_away(self) -> None:
        self._lock = sqlite3.connect(self.path, isolation_level=None, timeout=PATIENCE)
        self._lock.execute("BEGIN EXCLUSIVE")

    def come_back(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def break_a_transaction(self, shippers: Sequence[int]) -> bool:
        """There is no server to kill: the shipper that holds the lock goes."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=0)) as me:
            try:
                me.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                for pid in shippers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 9)
                return bool(shippers)
        return False


class RedisBroker:
    """A Redis server of its own, which keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.results = f"redis://127.0.0.1:{port}/1"
        folder.mkdir()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        with (folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                ["redis-server", *options], stdin=subprocess.DEVNULL, stdout=log
            )
        self._client = Redis(port=port)
        wait_until(self._answers, PATIENCE, "an answer of redis-server")

    def break_connections(self) -> bool:
        """Hang up on everybody."""
        self._client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return True

    def stop(self) -> None:
        """End it."""
        self._client.close()
        self._server.kill()
        self._server.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(RedisError):
            return bool(self._client.ping())
        return False


def free_port() -> int:
    """A port on which nobody listens at this moment."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """A database that is gone at the end."""
    if kind == "sqlite":
        file = SQLite(folder / "db.sqlite3")
        with contextlib.ExitStack() as stack:
            stack.callback(file.come_back)
            yield file
        return
    server = PostgreSQL(folder / "postgresql")
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def broker(kind: str, folder: Path) -> Iterator[RedisBroker | None]:
    """A broker that is gone at the end; ``None`` is the file system's."""
    if kind == "filesystem":
        yield None
        return
    server = RedisBroker(folder / "redis")
    try:
        yield server
    finally:
        server.stop()


def postgresql_programs() -> Path:
    """The folder of PostgreSQL's server programs.

    Raises:
        FileNotFoundError: If there is none.
    """
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path(_POSTGRESQL).glob("*/bin/initdb"))
    if not found:
        raise FileNotFoundError("There is no initdb: install PostgreSQL's server programs.")
    return found[-1].parent
