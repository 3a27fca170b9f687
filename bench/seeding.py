"""Large tables with a realistic mix, made by the database itself."""

from __future__ import annotations

from typing import Any

#: Rows that one statement seeds.
CHUNK = 100_000
#: The newest tasks, which still wait.
BACKLOG = 2000
#: A number below 1,000 that follows no order.
DICE = "(i * 7919) % 1000"


def words(vendor: str) -> dict[str, str]:
    """What the databases spell differently in the seeding statements."""
    start = "2026-01-01 00:00:00"
    return {
        "postgresql": {
            "text": "varchar",
            "at": f"timestamptz '{start}Z' + ({{}}) * interval '1 s'",
        },
        "sqlite": {"text": "text", "at": f"datetime('{start}', '+' || ({{}}) || ' seconds')"},
        "mysql": {"text": "char", "at": f"timestamp('{start}') + INTERVAL ({{}}) SECOND"},
    }[vendor]


def uuid_of(number: str, text: str) -> str:
    h = f"md5(cast({number} as {text}))"
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({h}, {start}, {length})" for start, length in parts)


def mix(rows: int, text: str) -> dict[str, str]:
    """What filters look at: few names have most tasks, most succeed, some names are no more."""
    number = f"cast({{}} as {text})"
    old = f"i <= {rows // 10} and i % 5 = 0"
    return {
        "state": f"case when i > {rows - BACKLOG} then 'PENDING' "
        f"when i > {rows - BACKLOG - 20} then 'RECEIVED' "
        f"when i > {rows - BACKLOG - 30} then 'STARTED' when {DICE} < 20 then 'FAILURE' "
        f"when {DICE} < 25 then 'REVOKED' when {DICE} = 25 and i % 7 = 0 then 'RETRY' "
        "else 'SUCCESS' end",
        "name": f"case when {old} then 'legacy.sync_' || {number.format('i % 20')}"
        f" when i % 1000 < 500 then 'shop.tasks.order_' || {number.format('i % 5')}"
        f" when i % 1000 < 900 then 'shop.mail.send_' || {number.format('i % 37')}"
        f" when i % 1000 < 999 then 'bank.report_' || {number.format('i % 150')}"
        " else 'shop.audit.rare' end",
        "queue": "case when i % 100000 = 7 then 'seldom' when i % 10 < 7 then 'celery' "
        "when i % 10 < 9 then 'mail' else 'reports' end",
        "worker": f"case when i > {rows - BACKLOG} then '' when i <= {rows // 20} "
        f"then 'celery@retired' else 'celery@pod-' || {number.format('i % 40')} end",
    }


def task_columns(rows: int, vendor: str) -> dict[str, str]:
    """Each column of a task as SQL over ``i``."""
    text, at = words(vendor)["text"], words(vendor)["at"]
    own = uuid_of("i", text)
    child = "i % 4 = 1"
    waits = f"i > {rows - BACKLOG}"
    sent, done = at.format("i"), at.format("i + 2")
    failed = f"{DICE} < 20 and not ({waits})"
    return {
        **mix(rows, text),
        "project": "'default'",
        "task_id": own,
        "exchange": "''",
        "routing_key": "'celery'",
        "pid": "1234",
        "args": "'[1, 2]'",
        "kwargs": """'{"user_id": 42}'""",
        "result": "'3'",
        "exception_type": f"case when {failed} then 'ValueError' else '' end",
        "exception_message": f"case when {failed} then 'no such order' else '' end",
        "traceback": f"case when {failed} then '{'  File x, line 1, in y. ' * 20}' else '' end",
        "retries": "0",
        "deliveries": "1",
        "sent_at": sent,
        "received_at": f"case when {waits} then null else {sent} end",
        "started_at": f"case when {waits} then null else {sent} end",
        "finished_at": f"case when {waits} then null else {done} end",
        "runtime": f"case when {waits} then null else 1.5 end",
        "root_id": f"case when {child} then {uuid_of('i - 1', text)} else {own} end",
        "parent_id": f"case when {child} then {uuid_of('i - 1', text)} else '' end",
        "group_id": f"case when i % 200 < 20 then {uuid_of('i % 20 - i', text)} else '' end",
        "group_index": "case when i % 200 < 20 then i % 20 else null end",
        "chord_id": "''",
        "schedule": "''",
        "origin": "'4321@web'",
        "attempt": "0",
        "state_order": "i",
        "facts_order": "i",
    }


def event_columns(vendor: str) -> dict[str, str]:
    text, at = words(vendor)["text"], words(vendor)["at"]
    kind = (
        "case k when 0 then 'task_sent' when 1 then 'task_received' "
        "when 2 then 'task_started' else 'task_succeeded' end"
    )
    return {
        "project": "'default'",
        "task_id": uuid_of("i", text),
        "kind": kind,
        "at": at.format("i + k"),
        "retries": "0",
        "worker": f"'celery@pod-' || cast(i % 40 as {text})",
        "pid": "1234",
        "detail": "''",
    }


def group_columns(vendor: str) -> dict[str, str]:
    text, at = words(vendor)["text"], words(vendor)["at"]
    return {
        "project": "'default'",
        "group_id": uuid_of("-i", text),
        "kind": "'group'",
        "size": "20",
        "body_id": "''",
        "body_name": "''",
        "root_id": "''",
        "first_seen": at.format("i"),
    }


def operation_columns(vendor: str) -> dict[str, str]:
    at = words(vendor)["at"]
    return {
        "verb": "case i % 10 when 0 then 'purge_queue' when 1 then 'retry_group' "
        "when 2 then 'cancel' else 'retry' end",
        "state": "'finished'",
        "actor": "'ada'",
        "user_id": "'1'",
        "surface": "'admin'",
        "parameters": "'{}'",
        "total": "10",
        "done": "9",
        "refused": "1",
        "created_at": at.format("i * 1000"),
        "updated_at": at.format("i * 1000 + 1"),
        "finished_at": at.format("i * 1000 + 1"),
        "abort_requested": "false",
    }


def target_columns(vendor: str) -> dict[str, str]:
    """Ten of each operation."""
    return {
        "operation_id": "(i - 1 - (i - 1) % 10) / 10 + 1",
        "position": "(i - 1) % 10",
        "kind": "'task'",
        "target": uuid_of("i * 100", words(vendor)["text"]),
        "outcome": "case when i % 10 = 0 then 'refused' else 'done' end",
        "at": words(vendor)["at"].format("i * 100"),
    }


def loss_columns(vendor: str) -> dict[str, str]:
    return {
        "host": "'pod-1'",
        "reason": "'unwritten'",
        "count": "i % 7 + 1",
        "at": words(vendor)["at"].format("i * 1000"),
    }


def defaults(model: Any, columns: dict[str, str]) -> dict[str, str]:
    """The columns that ``columns`` leaves out and that may not be null, with their defaults."""
    return {
        field.column: repr(field.get_default())
        for field in model._meta.concrete_fields
        if not (field.primary_key or field.null or field.column in columns)
    }


def insert(cursor: Any, model: Any, columns: dict[str, str], rows: int, where: str) -> None:
    """Fill a table from the numbers 1 to ``rows`` (``i``) for which ``where`` holds."""
    columns = columns | defaults(model, columns)
    digits = "(select 0 as d" + "".join(f" union all select {n}" for n in range(1, 10)) + ")"
    tables = ", ".join(f"{digits} d{n}" for n in range(5))
    number = " + ".join(f"d{n}.d * {10**n}" for n in range(5))
    integer = "signed" if cursor.db.vendor == "mysql" else "bigint"
    names, values = ", ".join(columns), ", ".join(columns.values())
    table = model._meta.db_table
    events = "(select 0 as k union all select 1 union all select 2 union all select 3)"
    beside = f" cross join {events} kinds" if "kind" in columns and "detail" in columns else ""
    for first in range(1, rows + 1, CHUNK):
        series = f"(select cast({first} + {number} as {integer}) as i from {tables}) series"
        cursor.execute(
            f"insert into {table} ({names}) select {values} from {series}{beside} "
            f"where i <= {rows} and {where} order by i"
        )


def seed(rows: int, with_events: str) -> None:
    """Fill the empty tables of the database that Django has.

    Args:
        rows: Tasks.
        with_events: Which of them, by their number ``i``, have events: an SQL condition.
    """
    from django.db import connection

    from z4j_django.models import (
        GroupRecord,
        JournalLoss,
        Operation,
        OperationTarget,
        TaskEvent,
        TaskRecord,
    )

    vendor = connection.vendor
    large = (TaskRecord, TaskEvent)
    with connection.schema_editor() as editor:
        for model in large:
            for index in model._meta.indexes:
                editor.remove_index(model, index)
    with connection.cursor() as cursor:
        if vendor == "mysql":
            cursor.execute("set session sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')")
        insert(cursor, TaskRecord, task_columns(rows, vendor), rows, "1 = 1")
        insert(cursor, TaskEvent, event_columns(vendor), rows, with_events)
        insert(cursor, GroupRecord, group_columns(vendor), rows, "i % 200 = 0")
        insert(cursor, Operation, operation_columns(vendor), rows // 1000, "1 = 1")
        insert(cursor, OperationTarget, target_columns(vendor), rows // 100, "1 = 1")
        insert(cursor, JournalLoss, loss_columns(vendor), rows // 10_000, "1 = 1")
    with connection.schema_editor() as editor:
        for model in large:
            for index in model._meta.indexes:
                editor.add_index(model, index)
    seed_hosts()
    with connection.cursor() as cursor:
        # SQLite's statistics are left as few projects have them: without.
        if vendor == "postgresql":
            cursor.execute("vacuum analyze")
        elif vendor == "mysql":
            tables = ", ".join(model._meta.db_table for model in large)
            cursor.execute(f"analyze table {tables}")


def seed_hosts() -> None:
    """The workers, and a journal of each of their hosts."""
    from django.utils import timezone

    from z4j_django.models import JournalRecord, WorkerRecord

    now = timezone.now()
    names = ["celery@retired", *(f"celery@pod-{number}" for number in range(40))]
    WorkerRecord.objects.bulk_create(
        WorkerRecord(hostname=name, online=True, last_seen=now) for name in names
    )
    JournalRecord.objects.bulk_create(
        JournalRecord(host=name.partition("@")[2], directory="/run/z4j", seen_at=now)
        for name in names
    )
