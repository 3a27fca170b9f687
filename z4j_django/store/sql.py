"""The statements that merge rows into the database: one ``INSERT … ON CONFLICT`` a table.

The rules of ``folding.py`` once more, as SQL. Each column has one rule; each database its own
words for the new row, the old row and the conflict.
"""

from __future__ import annotations

import datetime
import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from django.db import models
from django.utils import timezone

from z4j_django.counters import COUNTERS

#: A rule is the new value of a column: ``{n}`` is the incoming one, ``{o}`` the stored one, and
#: ``n.x`` and ``o.x`` are other columns of the same rows.
BETTER_STATE: Final = (
    "n.attempt > o.attempt OR (n.attempt = o.attempt AND n.state_order > o.state_order)"
)
FACT: Final = "CASE WHEN n.facts_order < o.facts_order THEN {n} ELSE {o} END"
STATE: Final = f"CASE WHEN {BETTER_STATE} THEN {{n}} ELSE {{o}} END"
LATER: Final = "CASE WHEN {o} IS NULL OR {n} > {o} THEN {n} ELSE {o} END"
EARLIER: Final = "CASE WHEN {o} IS NULL OR {n} < {o} THEN {n} ELSE {o} END"
GREATER: Final = "CASE WHEN {n} > {o} THEN {n} ELSE {o} END"
SMALLER: Final = "CASE WHEN {n} < {o} THEN {n} ELSE {o} END"
SUM: Final = "{o} + {n}"
STANDS: Final = "{o}"
MOMENT: Final = (
    "CASE WHEN n.attempt > o.attempt THEN {n} WHEN n.attempt < o.attempt THEN {o} "
    "WHEN {o} IS NULL OR {n} > {o} THEN {n} ELSE {o} END"
)
#: What an attempt said last of how far it is. One process tells no two of one moment.
PROGRESS: Final = (
    "CASE WHEN n.attempt > o.attempt THEN {n} WHEN n.attempt < o.attempt THEN {o} "
    "WHEN o.progress_at IS NULL OR n.progress_at > o.progress_at THEN {n} ELSE {o} END"
)
#: The pair of a chord's body goes together; the greater id stands.
BODY: Final = "CASE WHEN n.body_id > o.body_id THEN {n} ELSE {o} END"
#: A chord's size stands before that of a group, then the greater.
SIZE: Final = (
    "CASE WHEN n.kind = o.kind THEN CASE WHEN {n} > {o} THEN {n} ELSE {o} END "
    "WHEN n.kind = 'chord' THEN {n} ELSE {o} END"
)
#: What a worker says of itself at its newest start.
START: Final = (
    "CASE WHEN n.started_at IS NOT NULL AND (o.started_at IS NULL OR n.started_at > o.started_at) "
    "THEN {n} ELSE {o} END"
)
WORKER_STATE: Final = "CASE WHEN n.state_order > o.state_order THEN {n} ELSE {o} END"


@dataclass(frozen=True, eq=False)
class Merge:
    """How rows meet in one table.

    Attributes:
        key: The columns of the unique constraint.
        rules: Each other column and its rule. The columns that rules look at come last: MySQL
            assigns from left to right, and a rule there sees what was assigned before it.
    """

    key: Sequence[str]
    rules: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """All columns, in the order of the statement."""
        return [*self.key, *self.rules]


TASKS: Final = Merge(
    key=("project", "task_id"),
    rules={
        "name": FACT,
        "queue": FACT,
        "exchange": FACT,
        "routing_key": FACT,
        "priority": FACT,
        "args": FACT,
        "kwargs": FACT,
        "root_id": FACT,
        "parent_id": FACT,
        "group_id": FACT,
        "group_index": FACT,
        "chord_id": FACT,
        "next_steps": FACT,
        "schedule": FACT,
        "origin": FACT,
        "retry_of": FACT,
        "operation": FACT,
        "trace_id": FACT,
        "parent_span_id": FACT,
        "sent_at": EARLIER,
        "received_at": MOMENT,
        "started_at": MOMENT,
        "eta": MOMENT,
        "expires": MOMENT,
        "time_limit": MOMENT,
        "progress": PROGRESS,
        "progress_at": PROGRESS,
        "state": STATE,
        "retries": STATE,
        "worker": STATE,
        "pid": STATE,
        "finished_at": STATE,
        "runtime": STATE,
        "result": STATE,
        "exception_type": STATE,
        "exception_message": STATE,
        "traceback": STATE,
        "release": STATE,
        "error": STATE,
        "deliveries": SUM,
        "facts_order": SMALLER,
        "state_order": STATE,
        "attempt": GREATER,
    },
)
GROUPS: Final = Merge(
    key=("project", "group_id"),
    rules={
        "size": SIZE,
        "kind": "CASE WHEN {n} = 'chord' THEN {n} ELSE {o} END",
        "root_id": GREATER,
        "first_seen": SMALLER,
        "body_name": BODY,
        "body_id": BODY,
    },
)
WORKERS: Final = Merge(
    key=("project", "hostname"),
    rules={
        "pid": START,
        "pool": START,
        "concurrency": START,
        "queues": START,
        "version": START,
        "last_seen": LATER,
        "stopped_at": LATER,
        "online": WORKER_STATE,
        "started_at": START,
        "state_order": WORKER_STATE,
    },
)

#: Insert-only: the first message stands.
PAYLOADS: Final = Merge(
    key=("project", "task_id"),
    rules=dict.fromkeys(("sealed", "size", "created_at"), STANDS),
)

#: The newest word of an attempt stands.
LOGS: Final = Merge(
    key=("project", "task_id", "attempt"),
    rules=dict.fromkeys(("lines", "dropped", "at"), "CASE WHEN n.at > o.at THEN {n} ELSE {o} END"),
)

#: A segment's cursor where there is none yet; and where a batch has moved it.
NEW_CURSORS: Final = Merge(
    key=("segment",),
    rules=dict.fromkeys(("offset", "skipped"), STANDS),
)
CURSORS: Final = Merge(
    key=("segment",),
    rules={"offset": "{n}", "skipped": SUM},
)

#: Whoever writes statistics is alone, and has read what stands there.
STATISTICS: Final = Merge(
    key=("project", "step", "scope", "name", "queue", "at"),
    rules=dict.fromkeys((*COUNTERS, "runs", "waits"), "{n}"),
)

#: A report is newer than the one before it: the last one stands.
JOURNALS: Final = Merge(
    key=("host", "directory"),
    rules=dict.fromkeys(
        ("pid", "segments", "size", "pending", "oldest", "seen_at", "limit", "free"), "{n}"
    ),
)

#: Writes a name as the database wants it: ``offset`` is a word of its own to PostgreSQL.
Quote = Callable[[str], str]

_COLUMN: Final = re.compile(r"\b([no])\.(\w+)")

#: PostgreSQL's types of what rows hold, and how it becomes a column's value.
_POSTGRESQL_TYPES: Final[Mapping[type, str]] = {
    models.IntegerField: "integer",
    models.BigIntegerField: "bigint",
    models.FloatField: "double precision",
    models.BooleanField: "boolean",
    models.DateTimeField: "double precision",
}
_POSTGRESQL_READS: Final[Mapping[type, str]] = {
    models.DateTimeField: "to_timestamp(r.{})",
    models.JSONField: "r.{}::jsonb",
    models.BinaryField: "decode(r.{}, 'base64')",
}


def upsert(connection: Any, model: type[models.Model], merge: Merge, rows: Sequence[Any]) -> None:
    """Merge ``rows`` into the table of ``model``.

    Args:
        connection: A Django connection, inside a transaction.
        model: Whose table.
        merge: Its rules.
        rows: Structs with an attribute for each column; sorted by key, so that two writers
            take their locks in one order.
    """
    _write(connection, model, merge.columns, rows, merge)


def insert(
    connection: Any, model: type[models.Model], columns: Sequence[str], rows: Sequence[Any]
) -> None:
    """Append ``rows`` to the table of ``model``."""
    _write(connection, model, columns, rows, None)


def _write(
    connection: Any,
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Any],
    merge: Merge | None,
) -> None:
    if not rows:
        return
    if connection.vendor == "postgresql":
        document = msgspec.json.encode(rows).decode()
        with _server_binding(connection) as cursor:
            row_type: Any = type(rows[0])
            cursor.execute(_postgresql(model, tuple(columns), merge, row_type), [document])
        return
    quote = connection.ops.quote_name
    write = _mysql if connection.vendor == "mysql" else _sqlite
    fields = [model._meta.get_field(name) for name in columns]
    statement = write(quote(model._meta.db_table), columns, merge, quote)
    with connection.cursor() as cursor:
        cursor.executemany(statement, _values(connection, fields, rows))


def _server_binding(connection: Any) -> Any:
    """A cursor that sends values beside the statement.

    Django's own writes them into it, which for half a megabyte costs the driver, and the server's
    parser, as much again as what is done with them.
    """
    connection.ensure_connection()
    try:
        import psycopg
    except ImportError:  # psycopg2, which has no such
        return connection.cursor()
    cursor = psycopg.Cursor(connection.connection)
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return make(cursor)


@functools.lru_cache(maxsize=64)
def _postgresql(
    model: type[models.Model], columns: Sequence[str], merge: Merge | None, row_type: Any
) -> str:
    """One statement for any number of rows, which come as one JSON document.

    A list a column, for ``unnest``, takes the driver far longer to write down. What a row type
    leaves out of the document where it has its default, is that here. Nothing of a connection is
    remembered with it.
    """
    quote: Quote = '"{}"'.format
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    table, defaults = quote(model._meta.db_table), _left_out(row_type)
    names = ", ".join(quote(field.column) for field in fields)
    types = ", ".join(
        f"{quote(field.column)} {_POSTGRESQL_TYPES.get(type(field), 'text')}" for field in fields
    )
    reads = ", ".join(
        _POSTGRESQL_READS.get(type(field), "r.{}").format(quote(field.column))
        if (default := defaults.get(field.column)) is None
        else f"coalesce(r.{quote(field.column)}, {default})"
        for field in fields
    )
    text = (
        f"INSERT INTO {table} AS o ({names}) "  # noqa: S608  # names of our own
        f"SELECT {reads} FROM json_to_recordset(%s::json) AS r({types})"
    )
    return text + _on_conflict(merge, quote, new="excluded.{}", old="o.{}")


def _left_out(row_type: Any) -> Mapping[str, str]:
    """The defaults, as literals, that the rows of a type leave out; of ``None`` nothing is said."""
    if not row_type.__struct_config__.omit_defaults:
        return {}
    defaults = {one.name: one.default for one in msgspec.structs.fields(row_type)}
    return {
        name: f"'{default}'" if isinstance(default, str) else str(default)
        for name, default in defaults.items()
        if isinstance(default, (str, int))
    }


def _sqlite(table: str, columns: Sequence[str], merge: Merge | None, quote: Quote) -> str:
    text = _insert(table, columns, quote)
    return text + _on_conflict(merge, quote, new="excluded.{}", old=table + ".{}")


def _mysql(table: str, columns: Sequence[str], merge: Merge | None, quote: Quote) -> str:
    text = _insert(table, columns, quote)
    if merge is None:
        return text
    rules = _assignments(merge, quote, new="VALUES({})", old="{}")
    return f"{text} ON DUPLICATE KEY UPDATE {rules}"


def _insert(table: str, columns: Sequence[str], quote: Quote) -> str:
    names, marks = ", ".join(map(quote, columns)), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # names of our own


def _on_conflict(merge: Merge | None, quote: Quote, new: str, old: str) -> str:
    if merge is None:
        return ""
    key = ", ".join(map(quote, merge.key))
    if set(merge.rules.values()) == {STANDS}:
        return f" ON CONFLICT ({key}) DO NOTHING"
    return f" ON CONFLICT ({key}) DO UPDATE SET {_assignments(merge, quote, new, old)}"


def _assignments(merge: Merge, quote: Quote, new: str, old: str) -> str:
    """The rules in a database's words; ``new`` and ``old`` name a column of either row."""

    def in_words(match: re.Match[str]) -> str:
        return (new if match[1] == "n" else old).format(quote(match[2]))

    clauses = []
    for name, rule in merge.rules.items():
        whole = rule.replace("{n}", f"n.{name}").replace("{o}", f"o.{name}")
        clauses.append(f"{quote(name)} = {_COLUMN.sub(in_words, whole)}")
    return ", ".join(clauses)


def _values(connection: Any, fields: Sequence[Any], rows: Sequence[Any]) -> list[list[Any]]:
    """The rows as SQLite and MySQL take them: times as text in the connection's zone."""
    zone = connection.timezone or timezone.get_default_timezone()
    columns = operator.attrgetter(*(field.column for field in fields))
    times = [i for i, field in enumerate(fields) if isinstance(field, models.DateTimeField)]
    found = []
    for row in rows:
        values = list(columns(row))
        for i in times:
            if values[i] is not None:
                values[i] = _as_text(values[i], zone)
        found.append(values)
    return found


def _as_text(at: float, zone: datetime.tzinfo) -> str:
    """A time as ``str(datetime)`` has it; most of a batch fall in a few seconds."""
    second, fraction = divmod(round(at * 1e6), 1_000_000)
    whole = _second_as_text(second, zone)
    return f"{whole}.{fraction:06d}" if fraction else whole


@functools.lru_cache(maxsize=4096)
def _second_as_text(second: int, zone: datetime.tzinfo) -> str:
    return str(datetime.datetime.fromtimestamp(second, zone).replace(tzinfo=None))
