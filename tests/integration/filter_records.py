"""Records of all kinds, for filters to find or not."""

from __future__ import annotations

import functools
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from z4j_django import states
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.values import error_id, release_key

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 20, tzinfo=UTC)

NAMES = (
    *("shop.pay", "shop.pay_card", "shop.ship", "Shop.pay", "celery.backend_cleanup", ""),
    *(
        "z4j_django.bulk",
        "shöp.🛒",
        "weird*name",
        'quo"te',
        "a b",
        "per%cent_",
        "back\\slash",
        "-minus",
        "c:d,e",
    ),
)
QUEUES = ("", "mail", "mail.high", "bulk")
WORKERS = ("", "w1@h", "w1@h2", "w2@h")
SCHEDULES = ("", "nightly", "weekly report")
TRACES = ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737")
PROJECTS = ("default", "other")
ERRORS = ("builtins.TimeoutError", "Timeout", "requests.Timeout", "app.models.Error", "a.b c")
#: By their ids.
CAUSES = {error_id(number): number for number in (17, 2**62 + 1)}
RELEASES = ("", "shop 7", "7")
VALUES: tuple[Any, ...] = (
    *(42, "42", 42.0, 4.2, "4.2", 1e22, -0.0, 0, "0", True, "true", False, None, "null", ""),
    *(
        2**63 - 1,
        2**63 - 2,
        -(2**63),
        float(2**53),
        2**53 + 1,
        "é",
        "🛒",
        'a"b',
        "a\\b",
        " 42",
        "A",
    ),
    *("a", "a\nb", [42], {"0": 42}, {"é": 42, "a b": "42", "user__contains": 7, 'q"k': 1, "": 0}),
)
KEYS = ("user_id", "user__contains", "0", "é", "x.y", "a b", 'q"k', "")

#: By project and hostname; of each kind one, and of some workers none is known.
CREW = {
    (one.project, one.hostname): one
    for one in (
        WorkerRecord(
            hostname="w1@h",
            online=False,
            pid=7,
            last_seen=NOW,
            stopped_at=NOW - timedelta(minutes=20),
        ),
        WorkerRecord(hostname="w1@h2", online=True, pid=8, started_at=NOW - timedelta(minutes=20)),
        WorkerRecord(
            hostname="w2@h",
            online=True,
            started_at=NOW - timedelta(minutes=20),
            last_seen=NOW - timedelta(minutes=2),
        ),
        WorkerRecord(
            project="other",
            hostname="w1@h",
            online=True,
            pid=7,
            started_at=NOW - timedelta(minutes=10),
            last_seen=NOW - timedelta(minutes=3),
        ),
    )
}


@functools.cache
def records() -> list[TaskRecord]:
    """Some records, alike in every run."""
    dice = random.Random(4711)
    found = [_record(number, dice) for number in range(80)]
    for one in found[-8:]:
        one.sent_at = one.received_at = NOW  # they have passed others
    return found


def _record(number: int, dice: random.Random) -> TaskRecord:
    own = str(uuid.UUID(int=dice.getrandbits(128))) if number % 3 else f"task-{number}"
    state = dice.choice(states.ALL)
    failed = state in ("FAILURE", "RETRY", "REJECTED") and dice.random() < 0.8
    # Many of one moment.
    sent = NOW - timedelta(minutes=dice.randrange(40)) if dice.random() < 0.8 else None
    return TaskRecord(
        project=dice.choice(PROJECTS),
        task_id=own,
        name=dice.choice(NAMES),
        state=state,
        queue=dice.choice(QUEUES),
        worker=dice.choice(WORKERS),
        pid=dice.choice((None, 7, 8)),
        schedule=dice.choice(SCHEDULES),
        group_id=dice.choice(("", "g1", "g2")),
        parent_id=dice.choice(("", "task-3", "task-6")),
        root_id=dice.choice(("", own, own, "task-3")),
        retry_of=dice.choice(("", "", "task-9")),
        trace_id=("", *TRACES)[number % 8 % 3],
        exception_type=dice.choice(ERRORS) if failed else "",
        error=dice.choice((*CAUSES.values(), 18)) if state == "FAILURE" else None,
        release=release_key(dice.choice(RELEASES)),
        priority=dice.choice((None, -1, 0, 9)),
        retries=dice.randrange(4),
        deliveries=dice.randrange(6),
        attempt=dice.choice((0, 1, 2**32)),
        eta=dice.choice((None, NOW + timedelta(hours=1), NOW - timedelta(hours=1))),
        expires=dice.choice((None, NOW + timedelta(hours=1), NOW)),
        runtime=dice.choice((None, 0.1, 0.5, 1.0, 5.0, 7200.0)),
        sent_at=sent,
        received_at=dice.choice((None, sent)),
        started_at=dice.choice((None, NOW - timedelta(seconds=dice.randrange(9000)))),
        finished_at=dice.choice((None, DAY, DAY - timedelta(microseconds=1), NOW)),
        args=dice.choice((None, [], dice.choices(VALUES, k=3))),
        kwargs=dice.choice((None, {}, dict(zip(KEYS, dice.choices(VALUES, k=8), strict=True)))),
    )
