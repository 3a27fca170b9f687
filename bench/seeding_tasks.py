"""The tasks of a large table, with a realistic mix, and what was done to them."""

from __future__ import annotations

from bench.series import Scale
from z4j_django.values import release_key

#: The newest tasks, which still wait.
BACKLOG = 2000
#: A number below 1,000 that follows no order.
DICE = "(i * 7919) % 1000"
WORKERS = 200
SCHEDULES = 300
RELEASES = 20
#: Names of each kind, 500 in all with the one that is rare.
ORDERS, MAILS, REPORTS, LEGACY = 5, 37, 437, 20
#: Queues of reports, beside ``celery``, ``mail`` and ``seldom``.
REPORT_QUEUES = 197


def mix(scale: Scale) -> dict[str, str]:
    """What filters look at: few names have most tasks, most succeed, some names are no more."""
    rows, number = scale.rows, scale.number
    old = f"i <= {rows // 10} and i % 5 = 0"
    return {
        "state": f"case when i > {rows - BACKLOG} then 'PENDING' "
        f"when i > {rows - BACKLOG - 20} then 'RECEIVED' "
        f"when i > {rows - BACKLOG - 30} then 'STARTED' when {DICE} < 20 then 'FAILURE' "
        f"when {DICE} < 25 then 'REVOKED' when {DICE} = 25 and i % 7 = 0 then 'RETRY' "
        "else 'SUCCESS' end",
        "name": f"case when {old} then 'legacy.sync_' || {number(f'i % {LEGACY}')}"
        f" when i % 1000 < 500 then 'shop.tasks.order_' || {number(f'i % {ORDERS}')}"
        f" when i % 1000 < 900 then 'shop.mail.send_' || {number(f'i % {MAILS}')}"
        f" when i % 1000 < 999 then 'bank.report_' || {number(f'i % {REPORTS}')}"
        " else 'shop.audit.rare' end",
        "queue": f"case when i % 100000 = 7 then 'seldom' when {old} or i % 1000 < 700 "
        "then 'celery' when i % 1000 < 900 then 'mail' when i % 1000 < 999 "
        f"then 'reports_' || {number(f'i % {REPORTS} % {REPORT_QUEUES}')} else 'celery' end",
        "worker": f"case when i > {rows - BACKLOG} then '' when i <= {rows // 20} "
        f"then 'celery@retired' else 'celery@pod-' || {number(f'i % {WORKERS}')} end",
    }


def error_of(rows: int) -> str:
    """The fingerprint of a failure: three causes a name."""
    return (
        f"case when {DICE} >= 20 or i > {rows - BACKLOG - 30} then null "
        f"when i <= {rows // 10} and i % 5 = 0 then 6000 + i % {LEGACY} * 3 + i % 3 "
        f"when i % 1000 < 500 then 1000 + i % {ORDERS} * 3 + i % 3 "
        f"when i % 1000 < 900 then 2000 + i % {MAILS} * 3 + i % 3 "
        f"when i % 1000 < 999 then 3000 + i % {REPORTS} * 3 + i % 3 else 5000 end"
    )


def release_name(number: int) -> str:
    return f"2026.{number}.0"


def release_of(rows: int) -> str:
    """The key of the release that a task ran in."""
    each = -(-rows // RELEASES)
    cases = " ".join(
        f"when i <= {number * each} then {release_key(release_name(number))}"
        for number in range(1, RELEASES + 1)
    )
    return f"case when i > {rows - BACKLOG} then null {cases} end"


def task_columns(scale: Scale) -> dict[str, str]:
    """Each column of a task as SQL over ``i``."""
    own = scale.uuid("i")
    child = "i % 4 = 1"
    waits = f"i > {scale.rows - BACKLOG}"
    begun = f"i > {scale.rows - BACKLOG - 30}"
    sent, done = scale.at("i"), scale.at("i", "2")
    failed = f"{DICE} < 20 and not ({begun})"
    return {
        **mix(scale),
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
        "started_at": f"case when i > {scale.rows - BACKLOG - 20} then null else {sent} end",
        "finished_at": f"case when {begun} then null else {done} end",
        "runtime": f"case when {begun} then null else 1.5 end",
        "root_id": f"case when {child} then {scale.uuid('i - 1')} else {own} end",
        "parent_id": f"case when {child} then {scale.uuid('i - 1')} else '' end",
        "group_id": f"case when i % 200 < 20 then {scale.uuid('i % 20 - i')} else '' end",
        "group_index": "case when i % 200 < 20 then i % 20 else null end",
        "chord_id": f"case when i % 400 < 20 then {scale.uuid('i - i % 20 + 20')} else '' end",
        "schedule": "case when i % 1000 between 900 and 959 "
        f"then 'every-' || {scale.number(f'i % {SCHEDULES}')} else '' end",
        "origin": "'4321@web'",
        "release": release_of(scale.rows),
        "error": error_of(scale.rows),
        "attempt": "0",
        "state_order": "i",
        "facts_order": "i",
    }


def event_columns(scale: Scale) -> dict[str, str]:
    kind = (
        "case k when 0 then 'task_sent' when 1 then 'task_received' "
        "when 2 then 'task_started' else 'task_succeeded' end"
    )
    return {
        "project": "'default'",
        "task_id": scale.uuid("i"),
        "kind": kind,
        "at": scale.at("i", "k"),
        "retries": "0",
        "worker": f"'celery@pod-' || {scale.number(f'i % {WORKERS}')}",
        "pid": "1234",
        "detail": "''",
    }


def group_columns(scale: Scale) -> dict[str, str]:
    """Every second one is the header of a chord, whose body is the task after its members."""
    chord = "i % 400 = 0"
    return {
        "project": "'default'",
        "group_id": scale.uuid("-i"),
        "kind": f"case when {chord} then 'chord' else 'group' end",
        "size": "20",
        "body_id": f"case when {chord} then {scale.uuid('i + 20')} else '' end",
        "body_name": f"case when {chord} then 'shop.tasks.order_0' else '' end",
        "root_id": "''",
        "first_seen": scale.at("i"),
    }


def operation_columns(scale: Scale) -> dict[str, str]:
    at = scale.at
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
        "created_at": at("i * 1000"),
        "updated_at": at("i * 1000", "1"),
        "finished_at": at("i * 1000", "1"),
        "abort_requested": "false",
    }


def target_columns(scale: Scale) -> dict[str, str]:
    """Ten of each operation."""
    return {
        "operation_id": "(i - 1 - (i - 1) % 10) / 10 + 1",
        "position": "(i - 1) % 10",
        "kind": "'task'",
        "target": scale.uuid("i * 100"),
        "outcome": "case when i % 10 = 0 then 'refused' else 'done' end",
        "at": scale.at("i * 100"),
    }


def loss_columns(scale: Scale) -> dict[str, str]:
    return {
        "host": "'pod-1'",
        "reason": "'unwritten'",
        "count": "i % 7 + 1",
        "at": scale.at("i * 1000"),
    }
