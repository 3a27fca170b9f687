"""What is deleted and what is kept, on the database of the settings."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from tests.integration.aged import WEEK, ago, left, task
from z4j_django import retention_policy, states
from z4j_django.agent import batching, events
from z4j_django.models import (
    AlertAct,
    AlertDelivery,
    AlertNotice,
    AlertSilence,
    ConditionRecord,
    GroupRecord,
    JournalCursor,
    JournalLoss,
    JournalRecord,
    QueueSample,
    TaskEvent,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.store import deleting, retention
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db(transaction=True)


def prune(wanted: retention_policy.RetentionPolicy = WEEK, **options: Any) -> retention.Tally:
    tally = retention.Tally()
    for reached in retention.prune(wanted, "default", **options):
        tally = reached
    return tally


def test_each_state_goes_at_its_own_age_and_takes_its_events_along() -> None:
    wanted = {"SUCCESS": "7d", "FAILURE": "90d", "default": "30d", "unfinished": None}
    for days in (8, 31, 91):
        for state in (states.SUCCESS, states.FAILURE, states.REVOKED, states.PENDING):
            task(f"{state} {days}", days, state)
    tally = prune(retention_policy.from_setting(wanted))
    kept = {"FAILURE 8", "FAILURE 31", "REVOKED 8", "PENDING 8", "PENDING 31", "PENDING 91"}
    assert left() == kept
    assert set(TaskEvent.objects.values_list("task_id", flat=True)) == kept
    assert tally.tasks == {"SUCCESS": 3, "FAILURE": 1, "REVOKED": 2}
    assert (tally.others["events"], tally.busy) == (12, 0)


def test_a_dry_run_counts_the_same_and_deletes_nothing() -> None:
    task("old", 8)
    task("new", 1)
    GroupRecord.objects.create(group_id="g", first_seen=ago(8))
    tally = prune(dry_run=True)
    assert (tally.tasks, tally.others["events"]) == ({"SUCCESS": 1}, 2)
    assert (TaskRecord.objects.count(), TaskEvent.objects.count()) == (2, 4)
    assert GroupRecord.objects.exists()


def test_the_last_word_of_a_task_is_what_counts() -> None:
    task("ended lately", 30, finished_at=ago(1))
    task("received lately", 30, states.RECEIVED, received_at=ago(1))
    task("due in a year", 30, states.PENDING, eta=ago(-365))
    task("was due lately, but revoked before", 30, states.REVOKED, eta=ago(1))
    prune()
    assert left() == {"ended lately", "received lately", "due in a year"}


def test_a_chords_body_that_was_never_sent_is_as_old_as_the_message_that_told_of_it() -> None:
    for days in (8, 1):
        order = int(ago(days).timestamp() * 1e6) | 255 << 55
        task(str(days), 0, states.PENDING, sent_at=None, facts_order=order)
    task("nothing is known", 0, states.PENDING, sent_at=None)
    prune()
    assert left() == {"1", "nothing is known"}


def test_other_projects_are_left_alone() -> None:
    task("theirs", 8, project="other")
    TaskEvent.objects.create(task_id="ours", project="other", kind="task_sent", at=ago(8))
    task("ours", 8)
    WorkerRecord.objects.create(project="other", hostname="w@h", last_seen=ago(8))
    JournalLoss.objects.create(project="other", host="h", reason="unwritten", count=1, at=ago(8))
    prune()
    assert left() == {"theirs"}
    assert TaskEvent.objects.filter(project="other").count() == 3
    assert WorkerRecord.objects.exists()
    assert JournalLoss.objects.exists()


def test_the_walk_ends_where_all_is_new() -> None:
    for number in range(4):
        task(f"old {number}", 8)
    for number in range(40):
        task(f"new {number:02}", 1)
    with CaptureQueriesContext(connection) as few:
        assert prune(batch=2).tasks.total() == 4
    for number in range(40, 80):
        task(f"new {number:02}", 1)
    with CaptureQueriesContext(connection) as as_few:
        assert prune(batch=2).tasks.total() == 0
    assert len(as_few) < len(few) < 40


@pytest.mark.parametrize("days", [-3650, 8])
def test_what_was_sent_long_ago_or_claims_to_be_of_the_future_does_not_end_it(days: float) -> None:
    """A host whose clock is wrong; tasks that were sent with a far eta."""
    for number in range(6):
        task(f"odd {number}", days, states.PENDING, eta=ago(-365))
    task("old", 8)
    prune(batch=2)
    assert len(left()) == 6


def test_a_group_goes_after_its_last_member_and_its_body() -> None:
    for group, days in (("gone", 8), ("member", 8), ("body", 8), ("new", 1)):
        GroupRecord.objects.create(group_id=group, body_id=f"{group} body", first_seen=ago(days))
        task(f"{group} 0", 8, group_id=group, group_index=0)
    GroupRecord.objects.create(project="other", group_id="gone", first_seen=ago(8))
    task("member 1", 1, group_id="member", group_index=1)
    task("body body", 1)
    assert prune(batch=3).others["groups"] == 1
    kept = GroupRecord.objects.filter(project="default").values_list("group_id", flat=True)
    assert set(kept) == {"member", "body", "new"}
    assert GroupRecord.objects.filter(project="other").exists()


def test_workers_journals_losses_and_cursors_go() -> None:
    WorkerRecord.objects.create(hostname="silent", online=True, started_at=ago(9), last_seen=ago(8))
    WorkerRecord.objects.create(hostname="off", last_seen=ago(9), stopped_at=ago(8))
    WorkerRecord.objects.create(hostname="alive", online=True, started_at=ago(9), last_seen=ago(1))
    for directory, pending, days in (("empty", 0, 8), ("full", 7, 8), ("new", 0, 1)):
        JournalRecord.objects.create(
            host="h", directory=directory, pending=pending, seen_at=ago(days)
        )
    for days in (8, 1):
        JournalLoss.objects.create(host="h", reason="unwritten", count=1, at=ago(days))
        JournalCursor.objects.create(segment=f"s{days}", deleted_at=ago(days))
    JournalCursor.objects.create(segment="s31", deleted_at=ago(31))
    JournalCursor.objects.create(segment="on a host")
    counted = prune(dry_run=True).others
    assert prune().others == counted
    assert +counted == {"workers": 2, "journals": 1, "losses": 1, "cursors": 1}
    assert WorkerRecord.objects.get().hostname == "alive"
    assert set(JournalRecord.objects.values_list("directory", flat=True)) == {"full", "new"}
    assert JournalLoss.objects.count() == 1
    assert set(JournalCursor.objects.values_list("segment", flat=True)) == {"s8", "s1", "on a host"}


def test_without_a_default_only_tasks_and_groups_go() -> None:
    task("old", 8)
    WorkerRecord.objects.create(hostname="silent", last_seen=ago(800))
    JournalLoss.objects.create(host="h", reason="unwritten", count=1, at=ago(800))
    prune(retention_policy.from_setting({"SUCCESS": "7d"}))
    assert left() == set()
    assert WorkerRecord.objects.exists()
    assert JournalLoss.objects.exists()


def test_a_late_event_begins_a_record_of_its_own() -> None:
    task("a", 8)
    prune()
    late = events.TaskEvent(kind=events.TASK_SUCCEEDED, task_id="a", at=1.0)
    header = events.Header(schema=1, project="default", host="h", pid=7)
    line = events.encode(late)
    DatabaseSink().apply([batching.Slice("s", header, 0, len(line), line)])
    assert TaskRecord.objects.get().sent_at is None


def test_a_task_that_someone_is_writing_is_left_to_the_next_run() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("this database has one lock for all")
    busy = task("busy", 8)
    task("idle", 8)
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("UPDATE z4j_django_taskrecord SET pid = 1 WHERE id = %s", [busy.pk])
    tally = prune()
    other.rollback()
    other.close()
    assert (left(), tally.busy, tally.tasks.total()) == ({"busy"}, 1, 1)
    assert TaskEvent.objects.filter(task_id="busy").count() == 2
    assert prune().tasks.total() == 1


def test_a_task_that_lives_again_since_it_was_read_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    task("a", 8)
    locked = deleting.locked

    def revive(rows: Any) -> Any:
        TaskRecord.objects.update(finished_at=ago(0))
        return locked(rows)

    monkeypatch.setattr(deleting, "locked", revive)
    assert prune().tasks.total() == 0
    assert TaskEvent.objects.count() == 2


def test_a_deadlock_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    task("a", 8)
    delete, troubles = deleting.delete, [OperationalError("deadlock"), OperationalError("again")]

    def fail_twice(rows: Any) -> int:
        if rows.model is TaskRecord and troubles and TaskEvent.objects.count() == 0:
            raise troubles.pop()
        return delete(rows)

    monkeypatch.setattr(deleting, "delete", fail_twice)
    tally = prune()
    assert (troubles, left()) == ([], set())
    assert (tally.tasks.total(), tally.others["events"]) == (1, 2)


def test_a_trouble_that_stays_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    task("a", 8)

    def fail(rows: Any) -> int:
        raise OperationalError("no room")

    monkeypatch.setattr(deleting, "delete", fail)
    with pytest.raises(OperationalError, match="no room"):
        prune()
    assert (left(), TaskEvent.objects.count()) == ({"a"}, 2)


def test_two_runs_at_once_delete_everything_once() -> None:
    for number in range(30):
        task(f"{number:02}", 8, group_id="g", group_index=number)
    GroupRecord.objects.create(group_id="g", first_seen=ago(8))
    tallies = [retention.Tally(), retention.Tally()]
    runs = [retention.prune(WEEK, "default", batch=4) for _ in tallies]
    while runs:
        runs = [run for run in runs if next(run, None) is not None]
    first, second = prune(), prune()
    assert (first.tasks.total(), second.tasks.total()) == (0, 0)
    assert not TaskRecord.objects.exists()
    assert not TaskEvent.objects.exists()
    assert not GroupRecord.objects.exists()


def test_runs_and_shippers_at_once_end_without_an_error_and_without_orphans() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("this database has one lock for all, and the tests' is in memory")
    for number in range(400):
        task(f"{number:03}", 8)
    header = events.Header(schema=1, project="default", host="h", pid=7)
    errors: list[Exception] = []

    def within_thread(run: Any) -> None:
        try:
            run()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    def ship(name: str, order: int) -> None:
        sink = DatabaseSink()
        for begin in range(0, 400, 20):
            found = [
                events.TaskEvent(kind=events.TASK_RECEIVED, task_id=f"{n:03}", at=9.0)
                for n in range(begin, begin + 20)[::order]
            ]
            data = b"".join(map(events.encode, found))
            sink.apply([batching.Slice(f"{name}{begin}", header, 0, len(data), data)])

    threads = [
        threading.Thread(target=within_thread, args=(run,))
        for run in (
            lambda: prune(batch=50),
            lambda: prune(batch=30),
            lambda: ship("s", 1),
            lambda: ship("t", -1),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # InnoDB locks gaps of an index, too: there the one or the other may be told to try again,
    # which a shipper does.
    assert [error for error in errors if not isinstance(error, OperationalError)] == []
    if connection.vendor == "postgresql":
        assert errors == []
    orphans = set(TaskEvent.objects.values_list("task_id", flat=True)) - left()
    assert orphans == set()


def test_events_and_members_are_found_by_their_index() -> None:
    for number in range(300):
        task(str(number), 1, group_id=f"g{number}")
    with connection.cursor() as cursor:
        for table in ("z4j_django_taskevent", "z4j_django_taskrecord"):
            analyze = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
            cursor.execute(f"{analyze} {table}")
    GroupRecord.objects.create(group_id="g1", first_seen=ago(8))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # so small a table is read whole
            cursor.execute("SET enable_seqscan = off")
    timeline = TaskEvent.objects.filter(task_id__in=["1", "2"], project="default")
    assert "z4j_event_task" in timeline.explain()
    plan = retention._without_members(GroupRecord.objects.filter(pk__in=[1])).explain()
    assert "z4j_task_group" in plan
    assert "z4j_task_project_task_id" in plan or "(project=? AND task_id=?)" in plan
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_seqscan")


def test_the_span_of_a_run_is_found_by_halving() -> None:
    numbered = [task(str(number), 20 - number) for number in range(20)]
    old = [record.pk for record in numbered if record.sent_at < ago(7)]
    assert retention.span(WEEK) == (old[0], old[-1] + 1)
    TaskRecord.objects.all().delete()
    assert retention.span(WEEK) == (0, 0)


def test_samples_and_what_was_wrong_once_go_though_no_age_is_set() -> None:
    for days in (13, 15):
        QueueSample.objects.create(queue="mail", at=ago(days))
    QueueSample.objects.create(project="other", queue="mail", at=ago(15))
    for subject, days in (("lately", 89), ("long ago", 91)):
        ConditionRecord.objects.create(
            key="k", subject=subject, since=ago(99), last_seen=ago(days), ended_at=ago(days)
        )
    ConditionRecord.objects.create(key="k", subject="still", since=ago(99), last_seen=ago(99))
    prune(retention_policy.from_setting({}))
    assert QueueSample.objects.count() == 2
    assert set(ConditionRecord.objects.values_list("subject", flat=True)) == {"lately", "still"}


def test_what_was_told_goes_though_no_age_is_set_but_the_last_word_of_what_holds() -> None:
    for group, closed in (("lately", 89), ("long ago", 91), ("still", None)):
        notice = AlertNotice.objects.create(
            rule="all",
            channel="ops",
            group=group,
            opened_at=ago(99),
            told_at=ago(98),
            closed_at=ago(closed) if closed else None,
            is_open=None if closed else True,
        )
        for number in (1, 2):
            AlertDelivery.objects.create(
                notice=notice, number=number, channel="ops", created_at=ago(98), next_at=ago(98)
            )
    for subject, until, ended in (("over", 91, None), ("ended", 1, 91), ("lately", 89, None)):
        AlertSilence.objects.create(
            subject=subject, since=ago(99), until=ago(until), ended_at=ago(ended) if ended else None
        )
    for days in (89, 91):
        AlertAct.objects.create(rule="all", since=ago(99), is_dry_run=True, at=ago(days))
    prune(retention_policy.from_setting({}))
    assert [(one.notice.group, one.number) for one in AlertDelivery.objects.all()] == [("still", 2)]
    assert set(AlertNotice.objects.values_list("group", flat=True)) == {"lately", "still"}
    assert [one.subject for one in AlertSilence.objects.all()] == ["lately"]
    assert AlertAct.objects.count() == 1
