"""A workflow as people see it: retries as one, what is alike folded, the way that took longest."""

from __future__ import annotations

from datetime import timedelta

import celery
import pytest
from celery import chain, chord, group

from tests.integration.pages import NOW, task
from tests.integration.played import Play, of
from tests.integration.test_graphs import chain_of, chord_of, many, of_task, recorded
from z4j_django import operations
from z4j_django.models import TaskEvent, TaskRecord
from z4j_django.queries import events, flows, outlines
from z4j_django.queries.flows import Flow, Node

pytestmark = pytest.mark.django_db


@pytest.fixture
def play(chord_app: celery.Celery) -> Play:
    return Play(chord_app)


def flow(task_id: str, *opened: str) -> Flow:
    return flows.flow(of_task(task_id), NOW + timedelta(hours=1), opened)


def label(node: Node) -> str:
    names = {step.name for step in node.steps}
    if not node.steps:
        return "|"
    [name] = names
    return f"{name}x{len(node.steps)}" if node.is_folded else name


def links(found: Flow) -> list[str]:
    """What leads where, by name."""
    return sorted(f"{label(one)}>{label(two)}" for one in found.nodes for two in one.after)


def rows(items: list[outlines.Item[Node]]) -> list:
    """The nested list, by name."""
    return [
        (label(item.node), *(rows(branch) for branch in item.branches))
        if item.branches
        else label(item.node)
        for item in items
    ]


def words(found: Flow) -> dict[str, str]:
    return {step.name or step.task.task_id: step.word for step in found.steps}


def at(seconds: float):
    return NOW + timedelta(seconds=seconds)


def timed(task_id: str, sent: float, started: float, finished: float, **fields) -> TaskRecord:
    return task(
        task_id,
        **{
            "name": task_id,
            "state": "SUCCESS",
            "root_id": "r",
            "sent_at": at(sent),
            "received_at": at(sent),
            "started_at": at(started),
            "finished_at": at(finished),
            "runtime": finished - started,
            **fields,
        },
    )


class TestShapes:
    def test_a_chain_is_a_row(self) -> None:
        chain_of(4)
        found = flow("s2")
        assert [node.key for node in found.nodes] == ["s0", "s1", "s2", "s3"]
        assert [len(item.branches) for item in found.outline()] == [0, 0, 0, 0]

    def test_a_chord_leads_from_all_members_to_its_body(self, play: Play) -> None:
        play.run(chord([play.task("a"), play.task("b")], play.task("end"), app=play.app))
        found = flow(of("a")[0].task_id)
        assert links(found) == ["a>end", "b>end"]
        assert rows(found.outline()) == ["a", "b", "end"]

    def test_branches_come_together_where_they_do(self, play: Play) -> None:
        fork = group([play.task("a"), chain(play.task("b"), play.task("c"))], app=play.app)
        play.run(chain(play.task("then"), fork, play.task("end"), play.task("d")))
        found = flow(of("end")[0].task_id)
        assert links(found) == ["a>end", "b>c", "c>end", "end>d", "then>a", "then>b"]
        assert rows(found.outline()) == [("then", ["a"], ["b", "c"]), "end", "d"]

    def test_a_body_that_is_a_group_follows_all_of_the_header(self, play: Play) -> None:
        body = group([chain(play.task("c"), play.task("d")), play.task("then")], app=play.app)
        play.run(chord([play.task("a"), play.task("b")], body, app=play.app))
        found = flow(of("a")[0].task_id)
        assert links(found) == ["a>|", "b>|", "c>d", "|>c", "|>then"]
        assert rows(found.outline()) == ["a", "b", ("|", ["c", "d"], ["then"])]

    def test_what_leads_in_a_circle_comes_to_an_end(self) -> None:
        task("a", name="a", root_id="b", parent_id="c", retry_of="c", group_id="g", chord_id="a")
        task("b", name="b", root_id="c", parent_id="a", group_id="h", chord_id="b")
        task("c", name="c", root_id="a", parent_id="b", group_id="g")
        recorded("g", body_id="a", root_id="b")
        recorded("h", body_id="c", root_id="g")
        found = flow("a")
        assert {node.key for node in found.nodes} == {"b", "c", "g"}
        assert len(found.outline()) == 3

    def test_deep_trees_are_nested_no_deeper_than_can_be_read(self) -> None:
        chain_of(300)
        many({"task_id": f"t{n}", "root_id": "s0", "parent_id": f"s{n}"} for n in range(300))
        found = flow("s0", flows.EVERYTHING)

        def depth(items: list) -> int:
            return 1 + max((depth(row) for one in items for row in one.branches), default=0)

        def count(items: list) -> int:
            return sum(1 + sum(count(row) for row in one.branches) for one in items)

        assert depth(found.outline()) <= outlines.DEPTH + 1
        assert count(found.outline()) == 600


class TestFolding:
    def test_the_members_of_a_large_group_are_one_node(self) -> None:
        chord_of(50)
        TaskRecord.objects.exclude(task_id="body").update(name="resize")
        found = flow("body")
        [members, body] = found.nodes
        assert (members.is_folded, members.after) == (True, [body])
        assert members.counts == [("FAILURE", 17), ("SUCCESS", 33)]
        assert [step.task.task_id for step in members.steps[:2]] == ["m0", "m1"]
        assert len(found.steps) == 51

    def test_chains_in_a_group_are_folded_step_by_step(self, play: Play) -> None:
        header = [chain(play.task("a", n), play.task("b")) for n in range(8)]
        play.run(chord(header, play.task("end"), app=play.app))
        assert links(flow(of("end")[0].task_id)) == ["ax8>bx8", "bx8>end"]

    def test_what_differs_in_what_follows_is_not_folded_together(self, play: Play) -> None:
        header = [chain(play.task("a"), play.task("b")), *(play.task("a") for _ in range(7))]
        play.run(chord(header, play.task("end"), app=play.app))
        assert links(flow(of("end")[0].task_id)) == ["a>b", "ax7>end", "b>end"]

    def test_a_few_stay_what_they_are_and_folds_can_be_opened(self) -> None:
        chord_of(flows.FOLD_FROM - 1)
        TaskRecord.objects.filter(task_id="body").update(parent_id="m1", root_id="m1")
        assert not any(node.is_folded for node in flow("body").nodes)
        task("one more", group_id="g", chord_id="body")
        [members, _] = flow("body").nodes
        assert members.is_folded
        for opened in (members.key, flows.EVERYTHING):
            assert len(flow("body", opened).nodes) == flows.FOLD_FROM + 1
        assert len(flow("body", "another").nodes) == 2

    def test_a_thousand_members_that_all_feed_a_thousand_take_no_line_each(self) -> None:
        recorded("g", kind="chord", body_id="h", body_name="celery.group")
        recorded("h", kind="group")
        many(
            {"task_id": f"m{n}", "name": f"{n}", "group_id": "g", "chord_id": "h"}
            for n in range(400)
        )
        many({"task_id": f"b{n}", "name": f"{n}", "group_id": "g"} for n in range(400))
        found = flow("m0")
        assert sum(len(node.after) for node in found.nodes) == 800


class TestRetries:
    def test_a_task_and_its_retries_are_one_step(self) -> None:
        task("a", name="pay", root_id="a", state="FAILURE")
        task("again", name="pay", root_id="again", retry_of="a", state="FAILURE")
        task("child", name="child", root_id="again", parent_id="again")
        task("twice", name="pay", root_id="twice", retry_of="again", state="SUCCESS")
        found = flow("a")
        assert links(found) == ["pay>child"]
        [pay, _] = sorted(found.steps, key=lambda step: step.name, reverse=True)
        assert (pay.task.task_id, pay.word) == ("twice", "SUCCESS")
        assert [one.task_id for one in pay.earlier] == ["a", "again"]

    def test_a_chord_that_was_run_again_is_one_flow(self, play: Play) -> None:
        play.broken = {"b"}
        play.run(chord([play.task("a"), play.task("b")], play.task("end"), app=play.app))
        found = flow(of("a")[0].task_id)
        assert words(found) == {"a": "SUCCESS", "b": "FAILURE", "end": "NEVER SENT"}
        play.broken = set()
        with play.recorded():
            operations.retry_group(of("b")[0].group_id, actor="the test", members="failed")
            play.work()
        found = flow(of("a")[0].task_id)
        assert links(found) == ["a>end", "b>end"]
        assert words(found) == {"a": "SUCCESS", "b": "SUCCESS", "end": "SUCCESS"}

    def test_a_chain_that_was_run_again_forgets_what_waited_for_the_first(self, play: Play) -> None:
        play.broken = {"b"}
        play.run(chain(play.task("a"), play.task("b"), play.task("c")))
        found = flow(of("a")[0].task_id)
        assert links(found) == ["a>b", "b>c"]
        assert words(found) == {"a": "SUCCESS", "b": "FAILURE", "c": "NEVER SENT"}
        play.broken = set()
        with play.recorded():
            operations.retry([of("b")[0].task_id], actor="the test")
            play.work()
        found = flow(of("a")[0].task_id)
        assert links(found) == ["a>b", "b>c"]
        assert words(found) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}


class TestWords:
    def test_what_still_waits_is_not_sent_and_may_be(self) -> None:
        recorded("g", kind="chord", size=1, body_id="body")
        task("m", name="m", group_id="g", chord_id="body", state="STARTED", sent_at=NOW)
        task("body", name="body")
        task("s", name="s", root_id="m", parent_id="m", state="STARTED", next_steps=[["t", "t"]])
        assert words(flow("m")) == {
            "m": "STARTED", "body": "NOT SENT", "s": "STARTED", "t": "NOT SENT",
        }  # fmt: skip

    def test_what_nothing_is_known_of_is_unknown(self) -> None:
        task("child", name="child", root_id="gone", parent_id="gone", state="SUCCESS")
        assert words(flow("child")) == {"child": "SUCCESS", "gone": "UNKNOWN"}

    def test_a_single_task_that_was_never_seen_to_be_sent_is_pending(self) -> None:
        task("a", name="a")
        assert words(flow("a")) == {"a": "PENDING"}


class TestTimes:
    def test_the_longest_way_goes_back_from_the_last_end(self) -> None:
        timed("r", 0, 1, 2)
        timed("fast", 2, 3, 4, parent_id="r", group_id="g", chord_id="end")
        timed("slow", 2, 5, 9, parent_id="r", group_id="g", chord_id="end")
        timed("end", 9, 10, 11, parent_id="slow")
        timed("aside", 2, 3, 4, parent_id="r")
        recorded("g", kind="chord", size=2, body_id="end", root_id="r")
        found = flow("fast")
        assert [step.name for step in found.path] == ["r", "slow", "end"]
        assert [step.is_critical for step in found.steps] == [True, False, False, True, True]
        assert (found.begins, found.ends) == (at(0), at(11))
        assert [step.name for step in found.steps] == ["r", "fast", "aside", "slow", "end"]

    def test_of_what_runs_the_end_is_now(self) -> None:
        timed("r", 0, 1, 2)
        timed("s", 2, 3, 4, state="STARTED", finished_at=None, runtime=None, parent_id="r")
        found = flow("r")
        assert found.ends == NOW + timedelta(hours=1)
        assert [step.name for step in found.path] == ["r", "s"]
        [_, running] = found.steps
        assert running.pace is not None
        assert (running.pace.wait, running.pace.run) == (1, 3597)

    def test_a_task_that_was_put_off_waits_from_when_it_was_due(self) -> None:
        timed("r", 0, 61, 62, eta=at(60))
        [only] = flow("r").steps
        assert only.begins == at(60)
        assert only.pace is not None
        assert only.pace.wait == 1

    def test_the_first_of_several_retries_says_when_it_began(self) -> None:
        timed("r", 0, 1, 2, state="FAILURE")
        timed("again", 50, 51, 52, root_id="again", retry_of="r")
        [only] = flow("r").steps
        assert (only.begins, only.ends) == (at(0), at(52))

    def test_without_times_there_is_no_longest_way(self) -> None:
        chain_of(3)
        found = flow("s0")
        assert (found.path, found.begins, found.ends) == ([], None, None)


class TestAttempts:
    def test_each_start_of_some_tasks_is_told_in_its_order(self) -> None:
        for task_id, kind, seconds in (
            ("a", "task_started", 9),
            ("a", "task_started", 1),
            ("a", "task_retry", 2),
            ("b", "task_started", 3),
            ("c", "task_started", 4),
        ):
            TaskEvent.objects.create(task_id=task_id, kind=kind, at=at(seconds))
        TaskEvent.objects.create(task_id="a", kind="task_started", at=at(5), project="other")
        assert events.starts("default", ["a", "b"]) == {"a": [at(1), at(9)], "b": [at(3)]}
        assert events.starts("default", []) == {}
