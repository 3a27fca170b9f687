from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from z4j_django.models import GroupRecord, TaskEvent, TaskRecord, WorkerRecord
from z4j_django.queries import events, groups, liveness, lookups, tasks, workers
from z4j_django.queries.index_ranges import matching

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def task(task_id: str, **fields) -> TaskRecord:
    return TaskRecord.objects.create(task_id=task_id, **fields)


def found(text: str) -> list[str]:
    return list(
        tasks.search(TaskRecord.objects.order_by("id"), text).values_list("task_id", flat=True)
    )


class TestDistinctValues:
    def test_each_value_comes_once_and_the_empty_one_never(self) -> None:
        for number, name in enumerate(["b", "a", "", "b", "c", "a"]):
            task(str(number), name=name)
        assert lookups.distinct_values(TaskRecord, "name", 50) == ["a", "b", "c"]

    def test_no_more_than_the_limit(self) -> None:
        for number in range(9):
            task(str(number), name=f"t{number}")
        assert lookups.distinct_values(TaskRecord, "name", 4) == ["t0", "t1", "t2", "t3"]

    def test_an_empty_table_has_none_in_one_query(self, django_assert_num_queries) -> None:
        with django_assert_num_queries(1):
            assert lookups.distinct_values(TaskRecord, "queue", 50) == []

    def test_names_that_differ_in_case_are_two(self) -> None:
        task("1", name="shop.Pay")
        task("2", name="shop.pay")
        assert set(lookups.distinct_values(TaskRecord, "name", 50)) == {"shop.Pay", "shop.pay"}


class TestSearch:
    def test_by_the_whole_id(self) -> None:
        task("0b7d6a52-9a7e-4c06-8d52-4b2f3f0f5b7e")
        task("ffff6a52-9a7e-4c06-8d52-4b2f3f0f5b7e")
        whole = "0b7d6a52-9a7e-4c06-8d52-4b2f3f0f5b7e"
        assert found(whole) == [whole]

    def test_by_the_beginning_of_an_id_in_any_project(self) -> None:
        task("0b7d6a52-1")
        task("0b7d6a52-2", project="other")
        task("0b7d6a53-3")
        assert found(" 0b7d6a52 ") == ["0b7d6a52-1", "0b7d6a52-2"]

    def test_a_very_short_beginning_of_an_id_finds_only_an_id_of_that_length(self) -> None:
        task("abc")
        task("abcd")
        assert found("abc") == ["abc"]

    def test_an_id_is_compared_with_regard_to_case(self) -> None:
        task("ABCD-1")
        task("abcd-1")
        assert found("abcd") == ["abcd-1"]

    @pytest.mark.parametrize("text", ["shop.tasks.pay", "shop", "tasks.p", "PAY", "pay"])
    def test_by_the_beginning_of_a_name_or_of_a_dotted_part(self, text: str) -> None:
        task("1", name="shop.tasks.pay_card")
        task("2", name="bank.repay")
        assert found(text) == ["1"]

    @pytest.mark.parametrize(
        "text", ["%", "_", "0b7_", "%%%%", "ay_card", "\\", "'", '"; --', "🛒" * 9]
    )
    def test_no_wildcard_and_no_part_from_the_middle(self, text: str) -> None:
        task("0b7d6a52", name="shop.pay_card")
        assert found(text) == []

    def test_an_empty_text_finds_all(self) -> None:
        task("1")
        assert found("  ") == ["1"]

    def test_an_empty_table_has_nothing_to_find(self) -> None:
        assert found("0b7d6a52") == []

    def test_no_query_looks_into_the_middle_of_a_column(self) -> None:
        task("1", name="shop.pay")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            found("shop.pay")
        assert len(captured) <= 3
        assert not any("LIKE '%" in query["sql"].upper() for query in captured)

    def test_past_the_known_names_a_whole_name_is_still_found(self, monkeypatch) -> None:
        monkeypatch.setattr(tasks, "KNOWN_NAMES_LIMIT", 1)
        task("1", name="a.first")
        task("2", name="z.last")
        assert found("z.last") == ["2"]


class TestFamily:
    def test_relatives_are_looked_up_in_the_same_project(self) -> None:
        task("p", project="other", name="stranger")
        child = task("c", parent_id="p", root_id="r")
        task("r", name="root")
        family = tasks.family(child)
        assert family.parent == tasks.Relative("p", None)
        assert family.root is not None
        assert family.root.record is not None
        assert family.root.record.name == "root"

    def test_a_task_is_not_its_own_root(self) -> None:
        assert tasks.family(task("a", root_id="a")).root is None

    def test_children_are_bounded(self, monkeypatch) -> None:
        monkeypatch.setattr(tasks, "CHILDREN_LIMIT", 2)
        parent = task("p")
        for number in range(3):
            task(f"c{number}", parent_id="p")
        family = tasks.family(parent)
        assert [child.task_id for child in family.children] == ["c0", "c1"]
        assert family.more_children

    def test_a_body_knows_its_chord_and_a_member_its_group(self) -> None:
        group = GroupRecord.objects.create(group_id="g", body_id="b", kind="chord", first_seen=NOW)
        assert tasks.family(task("b")).body_of == group
        member = tasks.family(task("m", group_id="g", chord_id="b"))
        assert member.group == group
        assert member.chord_body is not None

    def test_it_takes_three_queries_as_a_rule(self, django_assert_num_queries) -> None:
        one = task("a", parent_id="p", root_id="r", chord_id="b", group_id="g", retry_of="x")
        task("x", name="shop.pay")
        with django_assert_num_queries(3):
            family = tasks.family(one)
        assert family.retry_of is not None
        assert family.retry_of.record is not None

    def test_the_group_that_is_a_body_takes_one_more(self, django_assert_num_queries) -> None:
        GroupRecord.objects.create(
            group_id="g", body_id="h", body_name="celery.group", kind="chord", first_seen=NOW
        )
        inner = GroupRecord.objects.create(group_id="h", first_seen=NOW)
        one = task("a", group_id="g", chord_id="h")
        with django_assert_num_queries(4):
            assert tasks.family(one).chord_group == inner


class TestTimeline:
    def test_events_come_in_order_with_the_time_between_them(self) -> None:
        one = task("a")
        for seconds, kind in ((2.5, "task_started"), (0, "task_sent"), (1, "task_received")):
            TaskEvent.objects.create(task_id="a", kind=kind, at=NOW + timedelta(seconds=seconds))
        TaskEvent.objects.create(task_id="a", project="other", kind="task_sent", at=NOW)
        timeline = events.timeline(one)
        assert [(entry.event.kind, entry.since_previous) for entry in timeline.entries] == [
            ("task_sent", None),
            ("task_received", 1.0),
            ("task_started", 1.5),
        ]
        assert not timeline.more

    def test_it_is_bounded(self, monkeypatch) -> None:
        monkeypatch.setattr(events, "TIMELINE_LIMIT", 2)
        for _ in range(3):
            TaskEvent.objects.create(task_id="a", kind="task_sent", at=NOW)
        timeline = events.timeline(task("a"))
        assert len(timeline.entries) == 2
        assert timeline.more


class TestGroups:
    def test_members_come_by_their_index_and_are_counted_by_state(self) -> None:
        group = GroupRecord.objects.create(group_id="g", first_seen=NOW)
        for index, state in ((2, "FAILURE"), (0, "SUCCESS"), (1, "SUCCESS")):
            task(f"m{index}", group_id="g", group_index=index, state=state)
        members = groups.members(group)
        assert [record.task_id for record in members.records] == ["m0", "m1", "m2"]
        assert members.counts == [("FAILURE", 1), ("SUCCESS", 2)]

    def test_members_are_bounded(self, monkeypatch) -> None:
        monkeypatch.setattr(groups, "MEMBERS_LIMIT", 2)
        group = GroupRecord.objects.create(group_id="g", first_seen=NOW)
        for index in range(3):
            task(f"m{index}", group_id="g", group_index=index)
        members = groups.members(group)
        assert len(members.records) == 2
        assert members.more
        assert members.counts == [("PENDING", 2)]

    def test_search_takes_the_beginning_of_a_group_or_a_whole_body(self) -> None:
        one = GroupRecord.objects.create(group_id="g-1", body_id="b-1", first_seen=NOW)
        GroupRecord.objects.create(group_id="h-1", body_id="b-2", first_seen=NOW)
        everything = GroupRecord.objects.all()

        def searched(text: str) -> list[GroupRecord]:
            return list(matching(everything, groups.ranges(everything, text)))

        assert searched("g-") == [one]
        assert searched("b-1") == [one]
        assert searched("b-") == []


class TestWorkers:
    @pytest.mark.parametrize(
        ("online", "silence", "presence"),
        [(True, 5, "online"), (True, 500, "silent"), (True, None, "silent"), (False, 5, "offline")],
    )
    def test_a_worker_that_went_without_a_word_is_silent(self, online, silence, presence) -> None:
        seen = None if silence is None else NOW - timedelta(seconds=silence)
        worker = WorkerRecord(hostname="w", online=online, last_seen=seen)
        assert liveness.presence(worker, NOW) == presence

    def test_the_newest_workers_are_on_offer(self, monkeypatch) -> None:
        monkeypatch.setattr(tasks, "CHOICES_LIMIT", 2)
        for hostname in ("a@old", "c@new", "b@new"):
            WorkerRecord.objects.create(hostname=hostname)
        assert workers.hostnames() == ["b@new", "c@new"]

    def test_recent_tasks_are_its_own_and_bounded(self, monkeypatch) -> None:
        monkeypatch.setattr(workers, "RECENT_TASKS_LIMIT", 2)
        worker = WorkerRecord.objects.create(hostname="w@1")
        for number in range(3):
            task(f"t{number}", worker="w@1")
        task("stranger", worker="w@1", project="other")
        assert [one.task_id for one in workers.recent_tasks(worker)] == ["t2", "t1"]
