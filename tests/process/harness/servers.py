"""Databases and queues of a test's own, on the servers that the environment names."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import kombu
import pytest

from example_project import environment

URLS = {
    "postgresql": os.environ.get("POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("MARIADB_URL", "mysql://root@127.0.0.1:3306/"),
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/"),
    "rabbitmq": os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
#: The Redis database for the brokers of these tests.
REDIS_DATABASE = 11
#: Behind the name of a test's queue, the name of a second one.
MORE = "-more"


def cannot(why: str) -> NoReturn:
    """Skip the test; in CI, where everything is installed, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def missing(server: str, error: Exception) -> NoReturn:
    """Skip the test whose server does not answer; in CI that is a failure."""
    cannot(f"{server} does not answer at {_without_password(URLS[server])}: {error}")


@contextlib.contextmanager
def sqlite(folder: Path, template: Path | None) -> Iterator[str]:
    """A file in ``folder``, as a copy of a migrated ``template`` if there is one."""
    path = folder / "db.sqlite3"
    if template is not None:
        shutil.copyfile(template, path)
    yield f"sqlite:///{path}"


@contextlib.contextmanager
def postgresql(folder: Path, template: Path | None) -> Iterator[str]:
    """A new database, dropped at the end."""
    import psycopg

    name = _unique()
    try:
        server = psycopg.connect(URLS["postgresql"], autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        missing("postgresql", error)
    with contextlib.closing(server):
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield _with_path(URLS["postgresql"], name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def mariadb(folder: Path, template: Path | None) -> Iterator[str]:
    """A new database, dropped at the end."""
    import pymysql

    name = _unique()
    url = _with_path(URLS["mariadb"], name)
    entry = environment.database(url, Path())
    try:
        server = pymysql.connect(
            host=entry["HOST"],
            port=int(entry["PORT"] or 3306),
            user=entry["USER"],
            password=entry["PASSWORD"],
            connect_timeout=5,
        )
    except pymysql.err.OperationalError as error:
        missing("mariadb", error)
    with contextlib.closing(server), server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield url
        finally:
            cursor.execute(f"DROP DATABASE {name}")


@contextlib.contextmanager
def filesystem(queue: str) -> Iterator[str | None]:
    """Folders of the test's own; they need no server."""
    yield None


@contextlib.contextmanager
def redis(queue: str) -> Iterator[str]:
    """Keys that begin with the queue's name, deleted at the end."""
    from redis import Redis, RedisError

    url = redis_url()
    server = Redis.from_url(url, socket_connect_timeout=5)
    try:
        server.ping()
    except RedisError as error:
        missing("redis", error)
    with contextlib.closing(server):
        try:
            yield url
        finally:
            for key in server.scan_iter(match=f"{queue}.*"):
                server.delete(key)


@contextlib.contextmanager
def rabbitmq(queue: str) -> Iterator[str]:
    """Queues and exchanges of the test's own, deleted at the end."""
    url = URLS["rabbitmq"]
    with kombu.Connection(url, connect_timeout=5) as connection:
        try:
            connection.ensure_connection(max_retries=1)
        except kombu.exceptions.OperationalError as error:
            missing("rabbitmq", error)
    try:
        yield url
    finally:
        with kombu.Connection(url, connect_timeout=5) as connection:
            channel = connection.default_channel
            for name in (queue, queue + MORE):
                channel.queue_delete(name)
            for name in ("", ".pidbox", ".events"):
                channel.exchange_delete(queue + name)
            channel.exchange_delete(f"reply.{queue}.pidbox")


#: How to get a database: from a folder and a migrated SQLite file to a URL.
DATABASES: dict[str, Callable[..., contextlib.AbstractContextManager[str]]] = {
    "sqlite": sqlite,
    "unmigrated": sqlite,
    "postgresql": postgresql,
    "mariadb": mariadb,
}
#: How to get a broker: from a queue's name to a URL.
BROKERS: dict[str, Callable[[str], contextlib.AbstractContextManager[str | None]]] = {
    "filesystem": filesystem,
    "redis": redis,
    "rabbitmq": rabbitmq,
}


def _unique() -> str:
    return f"z4jtest_{uuid.uuid4().hex[:12]}"


def redis_url() -> str:
    """The tests' own database of Redis, for brokers and results."""
    return _with_path(URLS["redis"], str(REDIS_DATABASE))


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _without_password(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
