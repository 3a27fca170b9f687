"""What is counted, found and sampled beside the tasks of a large table."""

from __future__ import annotations

from typing import Any

from bench import seeding_tasks as tasks
from bench.series import Scale, insert
from z4j_django import counters, histograms
from z4j_django.values import release_key

#: Names with queues: of reports one each, of mails two.
PAIRS = tasks.ORDERS + 2 * tasks.MAILS + tasks.REPORTS + 1
QUEUES = 3 + tasks.REPORT_QUEUES
#: Seconds of which minutes are kept, and queues' samples.
MINUTES_OF = 2 * counters.DAY
SAMPLES_OF = 14 * counters.DAY
#: Causes in all: most of them of tasks that are no longer on record.
ERRORS = 10_000
#: Conditions that have ended.
ENDED = 5_000
#: Tasks from which on each name has a row in each minute, hour and day: below, one in ten.
DENSE = 1_000_000


def name_of(pair: str, scale: Scale) -> str:
    first, second = tasks.ORDERS, tasks.ORDERS + tasks.MAILS
    third, last = second + tasks.MAILS, PAIRS - 1
    return (
        f"case when {pair} < {first} then 'shop.tasks.order_' || {scale.number(pair)}"
        f" when {pair} < {second} then 'shop.mail.send_' || {scale.number(f'{pair} - {first}')}"
        f" when {pair} < {third} then 'shop.mail.send_' || {scale.number(f'{pair} - {second}')}"
        f" when {pair} < {last} then 'bank.report_' || {scale.number(f'{pair} - {third}')}"
        " else 'shop.audit.rare' end"
    )


def queue_of(pair: str, scale: Scale) -> str:
    second = tasks.ORDERS + tasks.MAILS
    third, last = second + tasks.MAILS, PAIRS - 1
    report = scale.number(f"({pair} - {third}) % {tasks.REPORT_QUEUES}")
    return (
        f"case when {pair} < {second} or {pair} = {last} then 'celery' "
        f"when {pair} < {third} then 'mail' else 'reports_' || {report} end"
    )


def queue(number: str, scale: Scale) -> str:
    return (
        f"case {number} when 0 then 'celery' when 1 then 'mail' when 2 then 'seldom' "
        f"else 'reports_' || {scale.number(f'{number} - 3')} end"
    )


def literal(column: bytes, scale: Scale) -> str:
    if scale.vendor == "postgresql":
        return f"cast('\\x{column.hex()}' as bytea)"
    return f"x'{column.hex()}'"


def statistics(cursor: Any, scale: Scale) -> None:
    """Every name, every queue and all, in each minute, hour and day."""
    from z4j_django.models import Statistic

    places = {
        counters.NAMES: (PAIRS, name_of, queue_of),
        counters.QUEUES: (QUEUES, lambda number, scale: "''", queue),
        counters.ALL: (1, lambda number, scale: "''", lambda number, scale: "''"),
    }
    runs = literal(histograms.packed({18: 3, 20: 9, 21: 14, 22: 6, 25: 1}), scale)
    waits = literal(histograms.packed({8: 5, 9: 11, 10: 9, 13: 1}), scale)
    lasting = int(scale.rows * scale.step)
    for step in counters.STEPS:
        slots = min(lasting, MINUTES_OF if step == counters.MINUTE else lasting) // step + 1
        first = int(scale.end.timestamp()) // step * step - (slots - 1) * step
        for scope, (count, name, queue_name) in places.items():
            place, slot = f"((i - 1) % {count})", f"((i - 1 - (i - 1) % {count}) / {count})"
            columns = {
                **counts(place, step),
                "step": str(step),
                "scope": f"'{scope}'",
                "name": name(place, scale),
                "queue": queue_name(place, scale),
                "at": f"{first} + {slot} * {step}",
                "runs": runs,
                "waits": waits,
            }
            dense = scale.rows >= DENSE or scope == counters.ALL
            where = "1 = 1" if dense else "(i * 7919) % 1000 < 100"
            insert(cursor, Statistic, columns, slots * count, where)
    for_all_time(cursor, scale)


def for_all_time(cursor: Any, scale: Scale) -> None:
    """Every name with its queue, and runs and waits of all lengths."""
    from z4j_django.models import Statistic

    long = {bucket: bucket % 7 + 1 for bucket in range(4, 44)}
    columns = {
        **counts("(i - 1)", 90 * counters.DAY),
        "step": str(counters.EVER),
        "scope": f"'{counters.NAMES}'",
        "name": name_of("(i - 1)", scale),
        "queue": queue_of("(i - 1)", scale),
        "at": "0",
        "runs": literal(histograms.packed(long), scale),
        "waits": literal(histograms.packed(long), scale),
    }
    insert(cursor, Statistic, columns, PAIRS, "1 = 1")


def counts(place: str, step: int) -> dict[str, str]:
    """What happened in so many seconds to what stands at a place."""
    ran = f"(case when {place} < 5 then 40 else 2 end * {step // 60})"
    failed = f"case when ({place} * 31 + i) % 50 = 0 then {step // 60} else 0 end"
    return {
        "project": "'default'",
        **dict.fromkeys(("sent", "received", "started", "succeeded"), ran),
        "failed": failed,
    }


def errors(cursor: Any, scale: Scale) -> None:
    """The causes of the failures on record, and others that are older."""
    from z4j_django.models import ErrorGroup, ErrorRelease, TaskRecord

    failures = f"from {TaskRecord._meta.db_table} where error is not null group by project, error"
    cursor.execute(
        f"insert into {ErrorGroup._meta.db_table} (project, fingerprint, name, exception_type, "
        "message, traceback, task_id, count, first_seen, last_seen, state, resolved_in) "
        "select project, error, min(name), 'ValueError', 'no such order', min(traceback), "
        "max(task_id), count(*), min(finished_at), max(finished_at), 'open', '' "
        f"{failures} order by error"
    )
    release = cursor.db.ops.quote_name("release")  # which MySQL has a word for
    cursor.execute(
        f"insert into {ErrorRelease._meta.db_table} (project, fingerprint, {release}, count, "
        f"first_seen, last_seen) select project, error, {release}, count(*), min(finished_at), "
        f"max(finished_at) {failures}, {release}"
    )
    old = {
        "project": "'default'",
        "fingerprint": "1000000 + i",
        "name": name_of(f"(i % {PAIRS})", scale),
        "exception_type": f"'shop.errors.Error' || {scale.number('i % 400')}",
        "message": "'no order of ' || " + scale.number("i"),
        "traceback": "''",
        "task_id": scale.uuid("-i"),
        "count": "i % 977 + 1",
        "first_seen": scale.moment("i"),
        "last_seen": scale.moment(f"i * {scale.rows * scale.step / ERRORS / 2}"),
        "state": "case when i % 10 < 7 then 'open' when i % 10 < 9 then 'resolved' "
        "else 'ignored' end",
    }
    insert(cursor, ErrorGroup, old, ERRORS - 1_500, "1 = 1")


def releases(scale: Scale) -> None:
    from datetime import timedelta

    from z4j_django.models import Release

    each = -(-scale.rows // tasks.RELEASES) * scale.step
    Release.objects.bulk_create(
        Release(
            key=release_key(tasks.release_name(number)),
            name=tasks.release_name(number),
            first_seen=scale.begin + timedelta(seconds=(number - 1) * each),
            last_seen=scale.begin + timedelta(seconds=number * each),
        )
        for number in range(1, tasks.RELEASES + 1)
    )


def samples(cursor: Any, scale: Scale) -> None:
    """Each queue once a minute."""
    from z4j_django.models import QueueSample

    lasting = int(scale.rows * scale.step)
    minutes = min(lasting, SAMPLES_OF) // 60
    first = lasting - minutes * 60
    number, minute = f"((i - 1) % {QUEUES})", f"((i - 1 - (i - 1) % {QUEUES}) / {QUEUES} + 1)"
    columns = {
        "project": "'default'",
        "queue": queue(number, scale),
        "at": scale.moment(f"{first} + {minute} * 60"),
        "depth": "i % 13",
        "consumers": "8",
        "oldest_at": f"case when i % 13 = 0 then null "
        f"else {scale.moment(f'{first} + {minute} * 60 - 3')} end",
    }
    insert(cursor, QueueSample, columns, minutes * QUEUES, "1 = 1")


def conditions(cursor: Any, scale: Scale) -> None:
    """Those that have ended."""
    from z4j_django.models import ConditionRecord

    ended = scale.rows * scale.step / ENDED
    columns = {
        "project": "'default'",
        "key": "case when i % 3 = 0 then 'failing' when i % 3 = 1 then 'queue_backing_up' "
        "else 'worker_silent' end",
        "subject": f"'subject-' || {scale.number('i % 500')}",
        "severity": "case when i % 3 = 0 then 'critical' else 'warning' end",
        "since": scale.moment(f"i * {ended} - 900"),
        "last_seen": scale.moment(f"i * {ended} - 15"),
        "ended_at": scale.moment(f"i * {ended}"),
        "evidence": "'40 of 400 runs failed in the last 15m 00s (10.0%).'",
        "numbers": """'{"failed": 40, "runs": 400}'""",
        "is_open": "null",
    }
    insert(cursor, ConditionRecord, columns, ENDED, "1 = 1")


def seed(cursor: Any, scale: Scale) -> None:
    """Fill all tables of numbers."""
    statistics(cursor, scale)
    errors(cursor, scale)
    releases(scale)
    samples(cursor, scale)
    conditions(cursor, scale)
