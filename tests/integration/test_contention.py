"""Two operators in the same instant, with connections of their own: one acts, the other is told."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import celery
import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from tests import messages
from tests.integration import alerting, causes, chords, operators
from tests.integration.mailbox import QUEUE, Publish
from tests.process.harness import waiting
from z4j_django import operations, states
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.alerts import telling
from z4j_django.alerts.sender import Sender
from z4j_django.control import broadcasting, remote_control
from z4j_django.exceptions import OperationError
from z4j_django.models import (
    AlertDelivery,
    ErrorGroup,
    ErrorRelease,
    Lease,
    Operation,
    OperationTarget,
    Release,
    Statistic,
    TaskEvent,
    TaskRecord,
)
from z4j_django.operations import auditing, transactions
from z4j_django.operations import queues as purges
from z4j_django.store import statistics
from z4j_django.store.writer import DatabaseSink
from z4j_django.watch.lease import DatabaseLease

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shared")]

#: So many that two who only look, and do not claim, meet at one of them at least.
TASKS = [f"task-{number}" for number in range(10)]
Ask = Callable[[], Operation | None]
HEADER = events.Header(schema=1, project="default", host="h", pid=1)


@pytest.fixture(params=["", "repeatable read"], ids=["", "repeatable-read"])
def shared(
    request: pytest.FixtureRequest, transactional_db: None, tmp_path: Path
) -> Iterator[None]:
    """SQLite in a file, as threads can't wait for each other in memory, with Django's defaults.

    The others also with what is the default of MySQL and MariaDB, but not of Django.
    """
    if connection.vendor != "sqlite":
        yield from _isolated(request.param)
        return
    if request.param:
        pytest.skip("it has no other than this")
    in_memory, settings = connections["default"], connections.settings["default"]
    changed = {"NAME": str(tmp_path / "db.sqlite3"), "OPTIONS": {"timeout": 20}}
    before = {name: settings[name] for name in changed}
    with sqlite3.connect(changed["NAME"]) as copy:
        in_memory.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=WAL")
    settings.update(changed)
    del connections["default"]
    yield
    connections["default"].close()
    settings.update(before)
    connections["default"] = in_memory


def _isolated(level: str) -> Iterator[None]:
    options = connections.settings["default"].setdefault("OPTIONS", {})
    before = dict(options)
    if level and connection.vendor == "postgresql":
        options["options"] = "-c default_transaction_isolation=repeatable\\ read"
    elif level:
        options["isolation_level"] = level
    connection.close()
    yield
    connection.close()
    options.clear()
    options.update(before)


def at_once(*asked: Ask) -> list[Operation | OperationError | None]:
    """What came of each of those who asked in the same instant."""
    found = in_threads(*asked)
    assert {type(one) for one in found} <= {Operation, OperationError, type(None)}, found
    return found


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """What each returned or raised, of several that began in the same instant."""
    barrier = threading.Barrier(len(calls))
    found: dict[int, Any] = {}

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            found[place] = call()
        except Exception as error:
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[place] for place in range(len(calls))]


def published(queue: str) -> list[str]:
    """What was retried, in some order; one that was retried twice stands twice."""
    return sorted(message.headers["z4j"]["retry_of"] for message in messages.taken(queue))


def reasons(*found: Operation | OperationError) -> str:
    """All that was said of what was refused."""
    refused = OperationTarget.objects.filter(outcome="refused").values_list("reason", flat=True)
    return " ".join([*refused, *(str(one) for one in found if isinstance(one, OperationError))])


class TestTasks:
    """Retries of the same tasks."""

    @pytest.fixture
    def mail(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """The queue of the tasks, which have all failed."""
        operators.broker_in_memory(monkeypatch)
        queue = f"mail-{uuid.uuid4().hex}"
        for task_id in TASKS:
            operators.kept(task_id, queue=queue)
        return queue

    def test_one_retry_is_done_and_the_other_refused_and_names_the_first(self, mail: str) -> None:
        def ask() -> Operation:
            return operations.retry("task-0", actor="a test")

        at_once(ask, ask, ask, ask)
        done = OperationTarget.objects.get(outcome="done")
        refused = OperationTarget.objects.filter(outcome="refused")
        assert published(mail) == ["task-0"]
        assert {target.reason for target in refused} == {
            f"Operation {done.operation_id} has retried it as {done.result_id}, which is not on "
            "record yet. With force it is retried once more."
        }
        assert refused.count() == 3

    def test_one_terminate_is_done_and_the_other_refused_and_names_the_first(
        self, mail: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second signal might hit the task that the process has begun since."""
        TaskRecord.objects.update(state="STARTED", worker="w1")
        signals: list[str] = []

        def revoke(app: Any, ids: list[str], **kwargs: Any) -> dict[str, remote_control.Reply]:
            over = OperationTarget.objects.exclude(outcome__in=("pending", "acting"))
            waiting.wait_until(lambda: over.count() >= 2, 10, "the others' end")
            signals.extend(ids)
            return {"w1": remote_control.Reply(terminated=frozenset(ids))}

        found = {"w1": {"task-0": remote_control.ACTIVE}}
        monkeypatch.setattr(broadcasting, "has_remote_control", lambda app: True)
        monkeypatch.setattr(remote_control, "look", lambda *args, **kwargs: found)
        monkeypatch.setattr(remote_control, "revoke", revoke)

        def ask() -> Operation:
            return operations.terminate("task-0", actor="a test")

        at_once(ask, ask, ask)
        assert signals == ["task-0"]
        done = OperationTarget.objects.get(outcome="done")
        refused = OperationTarget.objects.filter(outcome="refused")
        assert {target.reason for target in refused} == {
            f"Operation {done.operation_id} is terminating it just now."
        }
        assert refused.count() == 2
        assert ask().done == 1

    def test_in_bulk_each_is_retried_once(self, mail: str) -> None:
        there = lambda: operations.bulk("retry", task_ids=TASKS, actor="one")  # noqa: E731
        back = lambda: operations.bulk("retry", task_ids=TASKS[::-1], actor="two")  # noqa: E731
        at_once(there, back, there)
        assert published(mail) == TASKS
        outcomes = OperationTarget.objects.values_list("outcome", flat=True)
        assert sorted(outcomes) == ["done"] * 10 + ["refused"] * 20


class TestGroups:
    """Retries of a group, of its members and of its body."""

    @pytest.fixture
    def plain(self, chord_app: celery.Celery) -> chords.Sent:
        """A group of three, whose member 1 has failed."""
        return chords.group_of_three(chord_app)

    def queue(self, sent: chords.Sent) -> str:
        return str(sent.app.conf.task_default_queue)

    def test_one_is_done_and_the_other_names_it(self, sent: chords.Sent) -> None:
        def ask() -> Operation:
            return operations.retry_group(sent.id, actor="a test", members="failed")

        found = at_once(ask, ask, ask)
        assert published(self.queue(sent)) == sorted(sent.members)
        number = OperationTarget.objects.filter(outcome="done").first().operation_id
        assert f"Operation {number} has just retried {sent.id}" in reasons(*found)

    def test_it_and_a_retry_of_its_member_shut_each_other_out(self, plain: chords.Sent) -> None:
        failed = plain.members[1]
        found = at_once(
            lambda: operations.retry_group(plain.id, actor="one", members="failed"),
            lambda: operations.retry(failed, actor="two"),
        )
        assert published(self.queue(plain)) == [failed]
        number = OperationTarget.objects.get(outcome="done").operation_id
        assert f"Operation {number} has" in reasons(*found)

    def test_it_and_a_retry_of_its_body_do_too(self, sent: chords.Sent) -> None:
        sent.turn(1, state=states.SUCCESS)
        operators.kept(sent.body, queue=self.queue(sent))
        at_once(
            lambda: operations.retry_group(sent.id, actor="one", members="body"),
            lambda: operations.retry(sent.body, actor="two"),
        )
        assert published(self.queue(sent)) in ([sent.body], sorted(sent.members))

    def test_what_was_retried_since_it_was_planned_is_seen(
        self, plain: chords.Sent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether its record has come by then, or not."""
        failed = plain.members[1]
        require = operations.groups._require_broker

        def meanwhile(app: Any) -> None:
            target = operations.retry(failed, actor="two").targets.get()
            TaskRecord.objects.create(task_id=target.result_id, retry_of=failed, state="STARTED")
            require(app)

        monkeypatch.setattr(operations.groups, "_require_broker", meanwhile)
        retried = operations.retry_group(plain.id, actor="one", members="failed")
        assert (retried.done, retried.refused) == (0, 1)
        assert published(self.queue(plain)) == [failed]


class TestQueues:
    """Purges and restores of one queue."""

    def test_while_one_is_at_it_another_purge_or_restore_is_refused(self, publish: Publish) -> None:
        publish(1)
        earlier = self.purge()
        publish(*range(25))
        refused: list[str] = []

        def meanwhile(seen: int, total: int) -> None:
            asked = [self.purge, lambda: operations.restore(earlier.pk, actor="two")]
            for ask in asked if seen < total else ():
                with pytest.raises(OperationError) as raised:
                    ask()
                refused.append(str(raised.value))

        purge = self.purge(progress=meanwhile)
        assert set(refused) == {
            f"Operation {purge.pk} is at it already. Abort it, or wait for its end."
        }
        assert (purge.done, Operation.objects.count()) == (26, 2)
        assert operations.restore(earlier.pk, actor="two").done == 2

    def test_of_a_dead_one_the_place_is_taken_and_it_does_not_go_on(self, publish: Publish) -> None:
        publish(*range(25))

        def fall_silent(seen: int, total: int) -> None:
            if seen < total:
                long_ago = timezone.now() - timedelta(seconds=transactions.SILENCE + 1)
                Operation.objects.update(updated_at=long_ago)
                assert self.purge().done == 16

        dead = self.purge(progress=fall_silent)
        assert (dead.state, dead.parameters["removed"]) == ("aborted", 10)

    def test_two_at_once_share_what_there_is_and_tell_the_truth(self, publish: Publish) -> None:
        publish(*range(25))
        found = [one for one in at_once(self.purge, self.purge) if isinstance(one, Operation)]
        assert sum(one.parameters["removed"] for one in found) == 25

    def purge(self, **options: Any) -> Operation:
        return operations.purge_queue(QUEUE, actor="a test", confirm=QUEUE, **options)

    def test_of_two_restores_one_is_refused(self, publish: Publish) -> None:
        publish(*range(25))
        purge = self.purge()
        ask = lambda: operations.restore(purge.pk, actor="a test")  # noqa: E731
        found = at_once(ask, ask)
        assert sum(isinstance(one, OperationError) for one in found) == 1
        assert operations.count_messages(QUEUE) == 25


def test_two_who_add_up_the_statistics_at_once_count_nothing_twice() -> None:
    for number in range(20):
        event = events.TaskEvent(events.TASK_REVOKED, f"t{number}", 1_700_000_040.0, name="send")
        data = events.encode(event)
        DatabaseSink().apply([Slice(f"s{number}", HEADER, 0, len(data), data)])
    at_once(statistics.compact_all, statistics.compact_all)
    statistics.compact_all()
    assert Statistic.objects.get(step=60, scope="all").revoked == 20


def test_of_shippers_that_store_the_same_in_one_instant_one_does() -> None:
    """As two that take each other for dead; one that the database turns down tries again."""
    lines = [
        events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=f"task-{number}", at=1.0))
        for number in range(50)
    ]
    ends = list(itertools.accumulate(map(len, lines), initial=0))
    batches = [
        Slice("segment", HEADER, ends[first], ends[first + 10], b"".join(lines[first : first + 10]))
        for first in range(0, 50, 10)
    ]

    def ship() -> dict[str, int]:
        sink, stored = DatabaseSink(), 0
        while stored < ends[-1]:
            batch = next(one for one in batches if one.begin == stored)
            with contextlib.suppress(OperationalError):
                stored = sink.apply([batch])["segment"]
        return {"segment": stored}

    assert in_threads(ship, ship, ship) == [{"segment": ends[-1]}] * 3
    names = TaskEvent.objects.order_by("id").values_list("task_id", flat=True)
    assert list(names) == [f"task-{number}" for number in range(50)]


def test_shippers_that_meet_at_the_same_errors_count_each_failure_once() -> None:
    """Each in its own order, in two releases: whoever comes second waits, or tries again."""
    said = ["no order", "no user", "no money", "no time", "no luck"]

    def ship(shipper: int) -> None:
        sink, batches = DatabaseSink(), 8
        for batch in range(batches):
            found = [
                causes.failed(f"t{shipper}-{batch}-{text}", shipper + batch, text)
                for text in (said if shipper else said[::-1])
            ]
            is_stored = False
            while not is_stored:
                with contextlib.suppress(OperationalError):
                    causes.store(found, f"release {batch % 2}", project="default", sink=sink)
                    is_stored = True

    at_once(lambda: ship(0), lambda: ship(1))
    assert set(ErrorGroup.objects.values_list("message", "count")) == {(one, 16) for one in said}
    in_releases = ErrorRelease.objects.values_list("count", flat=True)
    assert list(in_releases) == [8] * 10
    assert set(Release.objects.values_list("name", flat=True)) == {"release 0", "release 1"}


def test_an_operation_goes_on_and_ends_while_it_is_aborted() -> None:
    """All of them write the same row, again and again."""
    operation = auditing.begin("retry", ["a"], actor="a test", surface="python")

    def go_on() -> Operation:
        while auditing.goes_on(operation):
            operation.abort_requested = False
        return auditing.finish(Operation.objects.get())

    def abort() -> None:
        for _ in range(20):
            with contextlib.suppress(OperationError):  # where it is over
                operations.abort(operation.pk, actor="a test")

    at_once(go_on, go_on, abort, abort)
    assert Operation.objects.get().state == "aborted"


def test_the_tasks_of_a_purge_are_counted_while_it_is_aborted() -> None:
    operation = auditing.begin("purge_queue", ["mail"], actor="a test", surface="python")

    def count() -> None:
        for _ in range(20):
            purges.settle_tasks(Operation.objects.get(), "killed")

    def abort() -> None:
        for _ in range(20):
            operations.abort(operation.pk, actor="a test")

    in_time = in_threads(count, abort, abort)
    assert {type(one) for one in in_time} == {type(None)}, in_time


def test_of_several_who_take_a_lease_one_has_it() -> None:
    leases = [DatabaseLease("default", Lease.WATCH, 60.0) for _ in range(4)]
    for _ in range(20):
        Lease.objects.all().delete()
        assert leases[0].take()
        leases[0].give_back()
        found = in_threads(*(lease.take for lease in leases[1:]))
        assert sorted(map(type, found), key=str)[:2] == [type(None)] * 2, found


def test_of_two_who_resolve_an_error_one_is_refused() -> None:
    causes.store([causes.failed("a", 1)], project="default")
    error_id = ErrorGroup.objects.get().error_id
    asks = [lambda name=name: operations.resolve_errors(error_id, actor=name) for name in "ab"]
    at_once(*asks)
    outcomes = OperationTarget.objects.order_by("outcome").values_list("outcome", "reason")
    assert list(outcomes) == [("done", ""), ("refused", "It is resolved already.")]


def test_of_several_hosts_that_look_after_a_project_one_tells_and_one_sends() -> None:
    with alerting.inbox() as ops, alerting.settings(RULES={"all": {"after": 0}}):
        alerting.holds("no_workers")
        for number in range(10):
            alerting.holds("queue_without_consumer", f"q{number}")
        rounds = [lambda: telling.tell("default", alerting.at(0)) for _ in range(4)]
        assert in_threads(*rounds) == [True] * 4
        assert AlertDelivery.objects.count() == 1
        made = [Sender("default", lambda: alerting.at(1), f"{number}@here") for number in range(4)]
        assert in_threads(*(one.run for one in made)) == [None] * 4
        assert ops.lines() == [alerting.line(ops.messages[0])]
        assert AlertDelivery.objects.get().state == "sent"
