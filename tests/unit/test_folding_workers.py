"""What a merged row says of a worker."""

from __future__ import annotations

import itertools

from tests.unit.test_folding import event, folded
from z4j_django.agent import events


def test_an_observed_worker_has_the_process_that_it_says() -> None:
    online = events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, observed=True, pid=99)
    assert folded([online]).workers["shop", "w@h"].pid == 99
    silent = events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, observed=True)
    assert folded([silent]).workers["shop", "w@h"].pid is None


def test_workers_go_online_and_offline() -> None:
    seen = [
        events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, "prefork", 2, ["mail"], "celery 5"),
        events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", 11.0),
        events.WorkerEvent(events.WORKER_OFFLINE, "w@h", 21.0),
    ]
    for order in itertools.permutations(seen):
        row = folded(order).workers["shop", "w@h"]
        assert (row.online, row.pool, row.concurrency, row.queues) == (
            False,
            "prefork",
            2,
            '["mail"]',
        )
        assert (row.started_at, row.last_seen, row.stopped_at) == (1.0, 11.0, 21.0)


def test_a_worker_is_heard_of_by_all_that_it_does() -> None:
    seen = [
        events.WorkerEvent(events.WORKER_ONLINE, "w@h", 1.0, "prefork"),
        event(events.TASK_RECEIVED, 2.0, worker="w@h"),
        event(events.TASK_SUCCEEDED, 300.0, worker="w@h"),
    ]
    for order in itertools.permutations(seen):
        row = folded(order).workers["shop", "w@h"]
        assert (row.online, row.pool, row.started_at, row.last_seen) == (
            True,
            "prefork",
            1.0,
            300.0,
        )


def test_what_a_worker_does_late_does_not_undo_its_goodbye() -> None:
    seen = [
        events.WorkerEvent(events.WORKER_OFFLINE, "w@h", 21.0),
        event(events.TASK_SUCCEEDED, 22.0, worker="w@h"),
    ]
    for order in (seen, seen[::-1]):
        row = folded(order).workers["shop", "w@h"]
        assert (row.online, row.last_seen, row.stopped_at) == (False, 22.0, 21.0)


def test_a_worker_that_never_said_hello_is_there_by_what_it_does() -> None:
    row = folded([event(events.TASK_STARTED, 3.0, worker="w@h")]).workers["shop", "w@h"]
    assert (row.online, row.last_seen, row.started_at) == (True, 3.0, None)
    assert folded([event(events.TASK_SENT, 1.0)]).workers == {}
