"""Whole workflows: what hangs together, in how many queries, whatever the records say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

import celery
import kombu
import pytest
from celery import chord, group
from celery.canvas import Signature
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import messages
from tests.integration import chords
from tests.integration.pages import NOW, task
from z4j_django.agent import events
from z4j_django.agent import messages as agent
from z4j_django.agent.batching import Slice
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import graphs
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db


def many(rows: Iterable[dict[str, Any]]) -> None:
    TaskRecord.objects.bulk_create((TaskRecord(**row) for row in rows), batch_size=500)


def recorded(group_id: str, **fields: Any) -> GroupRecord:
    return GroupRecord.objects.create(group_id=group_id, **{"first_seen": NOW, **fields})


def of_task(task_id: str) -> graphs.Graph:
    found = graphs.of_task("default", task_id)
    assert found is not None
    return found


def of_group(group_id: str) -> graphs.Graph:
    found = graphs.of_group("default", group_id)
    assert found is not None
    return found


def known(graph: graphs.Graph) -> set[str]:
    return {node.task_id for node in graph.nodes if node.record is not None}


def unknown(graph: graphs.Graph) -> set[str]:
    return {node.task_id for node in graph.nodes if node.record is None}


def edges(graph: graphs.Graph, kind: str) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in graph.edges if edge.kind == kind}


def chain_of(length: int) -> None:
    many(
        {"task_id": f"s{n}", "root_id": "s0", "parent_id": f"s{n - 1}" if n else ""}
        for n in range(length)
    )


def chord_of(size: int, root: str = "") -> None:
    """A chord whose body has run; without a root, each member is its own."""
    recorded("g", kind="chord", size=size, body_id="body", root_id=root)
    many(
        {
            "task_id": f"m{n}",
            "root_id": root or f"m{n}",
            "parent_id": root,
            "group_id": "g",
            "group_index": n,
            "chord_id": "body",
            "state": "FAILURE" if n % 3 == 0 else "SUCCESS",
        }
        for n in range(size)
    )
    task("body", root_id=root or "m7", parent_id="m7")


def nested_chords(depth: int) -> None:
    """Chords whose body is a member of the next one, none of them published by a task."""
    for level in range(depth):
        around = {"group_id": f"g{level + 1}", "group_index": 0} if level < depth - 1 else {}
        recorded(f"g{level}", kind="chord", size=2, body_id=f"b{level}")
        feeds = {"group_id": f"g{level}", "chord_id": f"b{level}"}
        task(f"m{level}", root_id=f"m{level}", group_index=1, **feeds)
        above = {"chord_id": f"b{level + 1}"} if around else {}
        task(f"b{level}", **around, **above)


class TestWhole:
    def test_a_chain_is_found_from_any_of_its_steps(self) -> None:
        chain_of(200)
        task("stranger", root_id="stranger")
        graph = of_task("s123")
        assert graph.root_id == "s0"
        assert known(graph) == {f"s{n}" for n in range(200)}
        assert edges(graph, "parent") == {(f"s{n}", f"s{n + 1}") for n in range(199)}
        assert not graph.more

    def test_nodes_come_in_the_order_in_which_they_were_recorded(self) -> None:
        chain_of(30)
        assert [node.task_id for node in of_task("s7").nodes] == [f"s{n}" for n in range(30)]

    @pytest.mark.parametrize("root", ["", "r"])
    def test_a_chord_is_found_from_a_member_from_its_body_and_from_its_group(self, root) -> None:
        if root:
            task("r", root_id="r")
        chord_of(300, root)
        for graph in (of_task("m5"), of_task("body"), of_group("g")):
            assert known(graph) == {f"m{n}" for n in range(300)} | {"body"} | ({root} - {""})
            [only] = graph.groups
            assert only.record is not None
            assert (only.group_id, only.record.size, only.body_id) == ("g", 300, "body")
            assert only.counts == [("FAILURE", 100), ("SUCCESS", 200)]
            assert edges(graph, "member") == {("g", f"m{n}") for n in range(300)}
            assert edges(graph, "body") == {("g", "body")}
            assert ("m7", "body") in edges(graph, "parent")
            assert not graph.more

    def test_a_group_that_no_task_published_has_no_root(self) -> None:
        chord_of(3)
        assert of_group("g").root_id == ""
        assert of_task("m1").root_id == "m1"

    def test_chords_within_chords_are_found_from_the_inmost_and_the_outmost(self) -> None:
        nested_chords(6)
        inmost, outmost = of_task("m0"), of_group("g5")
        for graph in (inmost, outmost):
            assert known(graph) == {f"{kind}{n}" for kind in "mb" for n in range(6)}
            assert [len(one.counts) for one in graph.groups] == [1] * 6
            assert edges(graph, "body") == {(f"g{n}", f"b{n}") for n in range(6)}
            assert ("g1", "b0") in edges(graph, "member")
            assert not graph.more

    def test_a_task_and_its_retries_belong_together(self) -> None:
        task("a", root_id="a")
        task("again", root_id="again", retry_of="a")
        task("published by again", root_id="again", parent_id="again")
        task("twice", root_id="twice", retry_of="a")
        for start in ("a", "again", "twice"):
            graph = of_task(start)
            assert known(graph) == {"a", "again", "published by again", "twice"}
            assert edges(graph, "retry") == {("a", "again"), ("a", "twice")}

    def test_what_a_task_of_an_unknown_message_published_is_found_by_that_task(self) -> None:
        task("nameless")
        task("child", root_id="nameless", parent_id="nameless")
        assert known(of_task("nameless")) == {"nameless", "child"}

    def test_another_project_has_a_workflow_of_its_own(self) -> None:
        task("a", root_id="a")
        task("theirs", root_id="a", parent_id="a", project="other")
        recorded("g", project="other")
        assert known(of_task("a")) == {"a"}
        assert graphs.of_task("nobody", "a") is None
        assert graphs.of_group("default", "g") is None

    def test_of_what_is_not_on_record_there_is_none(self) -> None:
        assert graphs.of_task("default", "a") is None
        assert graphs.of_group("default", "a") is None
        task("lonely")
        assert graphs.of_task("default", "") is None
        assert graphs.of_group("default", "") is None


class TestUnknown:
    def test_what_is_only_named_is_a_node_without_a_record(self) -> None:
        recorded("g", kind="chord", size=2, body_id="body", root_id="r")
        task("m", root_id="r", parent_id="p", group_id="g", group_index=1, chord_id="body")
        task("again", retry_of="old")
        graph = of_task("m")
        assert unknown(graph) == {"r", "p", "body"}
        assert edges(graph, "parent") == {("p", "m")}
        assert edges(graph, "body") == {("g", "body")}
        assert unknown(of_task("again")) == {"old"}

    def test_a_root_that_was_pruned_still_names_its_workflow(self) -> None:
        task("child", root_id="gone", parent_id="gone")
        graph = of_task("gone")
        assert (graph.root_id, known(graph), unknown(graph)) == ("gone", {"child"}, {"gone"})

    def test_a_group_that_was_pruned_is_known_by_its_members(self) -> None:
        task("m", group_id="g", group_index=0, chord_id="body", state="STARTED")
        task("body")
        for graph in (of_group("g"), of_task("m")):
            assert graph.groups == [graphs.Group("g", None, "body", [("STARTED", 1)])]
            assert known(graph) == {"m", "body"}

    def test_a_group_without_members_on_record_is_told_by_its_record(self) -> None:
        recorded("g", kind="chord", size=3, body_id="body")
        graph = of_group("g")
        assert unknown(graph) == {"body"}
        assert graph.groups[0].counts == []
        assert edges(graph, "body") == {("g", "body")}


class TestHostile:
    def test_cycles_and_tasks_that_name_themselves_come_to_an_end(self) -> None:
        task("a", root_id="b", parent_id="c", retry_of="c", group_id="g", chord_id="a")
        task("b", root_id="c", parent_id="a", retry_of="a", group_id="h", chord_id="b")
        task("c", root_id="a", parent_id="b", retry_of="b", group_id="g")
        task("d", root_id="a", parent_id="d", retry_of="d", group_id="h")
        recorded("g", body_id="a", root_id="b")
        recorded("h", body_id="c", root_id="g")
        for graph in (of_task("a"), of_task("d"), of_group("h")):
            assert known(graph) == {"a", "b", "c", "d"}
            assert edges(graph, "parent") == {("c", "a"), ("a", "b"), ("b", "c")}
            assert edges(graph, "retry") == {("c", "a"), ("a", "b"), ("b", "c")}
            assert edges(graph, "body") == {("g", "a"), ("h", "c")}

    def test_a_group_and_a_task_of_one_id_stay_two(self) -> None:
        task("x", group_id="x", group_index=0)
        recorded("x", body_id="x")
        graph = of_task("x")
        assert known(graph) == {"x"}
        assert [(edge.kind, edge.source, edge.target) for edge in graph.edges] == [
            ("member", "x", "x"),
            ("body", "x", "x"),
        ]

    @pytest.mark.parametrize("name", ["'; --", "🛒", "%", "a/b", "A" * 254])
    def test_an_id_is_only_text(self, name: str) -> None:
        task(name, root_id=name)
        task("child", root_id=name, parent_id=name)
        task("other", root_id=name.swapcase() + "x")
        assert known(of_task("child")) == {name, "child"}


class TestBounds:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(graphs, "LIMIT", 10)

    def test_of_a_large_workflow_come_the_first_tasks(self) -> None:
        chain_of(11)
        graph = of_task("s3")
        # The one that was asked for is there in any case.
        assert known(graph) == {f"s{n}" for n in range(10)}
        assert graph.more
        assert "s10" in known(of_task("s10"))

    def test_a_workflow_that_just_fits_is_whole(self) -> None:
        chain_of(10)
        graph = of_task("s3")
        assert len(graph.nodes) == 10
        assert not graph.more

    def test_the_body_has_its_place_before_many_members(self) -> None:
        chord_of(30)
        for graph in (of_group("g"), of_task("m20")):
            assert graph.more
            assert len(graph.nodes) == 10
            assert "body" in known(graph)
            assert graph.groups[0].record is not None

    def test_a_task_on_record_that_has_no_room_is_not_told_as_unknown(self) -> None:
        task("p0")
        many({"task_id": f"c{n}", "group_id": "g", "parent_id": f"p{n}"} for n in range(10))
        for n in range(1, 10):
            task(f"p{n}")
        graph = of_group("g")
        assert graph.more
        assert unknown(graph) == set()

    def test_what_is_only_named_takes_no_more_room_than_there_is(self) -> None:
        many({"task_id": f"c{n}", "group_id": "g", "parent_id": f"p{n}"} for n in range(6))
        graph = of_group("g")
        assert (len(known(graph)), len(unknown(graph)), graph.more) == (6, 4, True)
        assert {source for source, _ in edges(graph, "parent")} == unknown(graph)

    def test_groups_without_number_are_bounded(self) -> None:
        for n in range(12):
            recorded(f"g{n}", body_id="b")
        task("b")
        graph = of_task("b")
        assert (len(graph.groups), graph.more) == (10, True)


class TestQueries:
    @staticmethod
    def queries(start: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            found = of_group(start) if start.startswith("g") else of_task(start)
        assert not found.more
        return len(captured)

    def test_a_chain_of_200_takes_as_many_as_one_of_2(self) -> None:
        chain_of(2)
        few = self.queries("s1")
        TaskRecord.objects.all().delete()
        chain_of(200)
        # MySQL and MariaDB are asked for 190 values at once.
        more = 2 if connection.vendor == "mysql" else 0
        assert (few, self.queries("s1"), self.queries("s199")) == (5, 5 + more, 5 + more)

    def test_a_chord_of_300_that_a_task_published(self) -> None:
        task("r", root_id="r")
        chord_of(300, "r")
        assert self.queries("g") <= 9
        assert self.queries("m299") <= 9
        assert self.queries("body") <= 9

    def test_a_chord_of_300_of_which_each_member_is_a_root(self) -> None:
        chord_of(300)
        assert self.queries("g") <= 12
        assert self.queries("m299") <= 12
        assert self.queries("body") <= 16

    def test_chords_within_chords_take_a_round_each(self) -> None:
        nested_chords(3)
        first = self.queries("m0")
        for model in (TaskRecord, GroupRecord):
            model.objects.all().delete()
        nested_chords(8)
        assert self.queries("m0") - first <= 5 * 7
        assert self.queries("g7") <= graphs.ROUNDS * 7

    def test_no_shape_takes_more_than_its_rounds(self) -> None:
        many({"task_id": f"r{n}", "retry_of": f"r{n - 1}", "group_id": f"g{n}"} for n in range(99))
        with CaptureQueriesContext(connection) as captured:
            graph = of_task("r0")
        assert graph.more
        assert len(known(graph)) == graphs.ROUNDS + 1
        assert len(captured) <= graphs.ROUNDS * 8


@pytest.mark.django_db(transaction=True)
class TestAsCeleryPublishesIt:
    """What a process that is no worker sends; nothing has run yet."""

    @staticmethod
    def sent(app: celery.Celery, signature: Signature) -> list[kombu.Message]:
        """Publish, and put on record what the messages say."""
        signature.apply_async()
        found = list(messages.taken(app.conf.task_default_queue))
        lines = b"".join(
            events.encode(
                agent.delivered(
                    events.TASK_RECEIVED,
                    message.headers,
                    message.delivery_info,
                    at=NOW.timestamp(),
                    content=tuple(json.loads(message.body)),  # type: ignore[arg-type]
                )
            )
            for message in found
        )
        header = events.Header(schema=1, project="default", host="h", pid=7)
        DatabaseSink().apply([Slice(uuid.uuid4().hex, header, 0, len(lines), lines)])
        return found

    @pytest.fixture
    def app(self, monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
        return chords.make_app(monkeypatch)

    def test_a_chord_and_its_body(self, app: celery.Celery) -> None:
        header = [Signature("pay", args=(n,), app=app) for n in range(3)]
        found = self.sent(app, chord(header, Signature("tell", app=app), app=app))
        graph = of_task(found[1].headers["id"])
        [only] = graph.groups
        assert only.record is not None
        assert (only.record.kind, only.counts) == ("chord", [("RECEIVED", 3)])
        [(_, body)] = edges(graph, "body")
        names = {node.task_id: node.record.name for node in graph.nodes if node.record}
        assert names[body] == "tell"
        assert len(names) == 4

    def test_a_chord_in_a_chord(self, app: celery.Celery) -> None:
        def one(name: str) -> Signature:
            return Signature(name, app=app)

        inner = chord([one("a"), one("b")], one("c"), app=app)
        found = self.sent(app, chord([inner, one("d")], one("e"), app=app))
        assert {message.headers["task"] for message in found} == {"a", "b", "d"}
        for message in found:
            graph = of_task(message.headers["id"])
            names = {node.task_id: node.record.name for node in graph.nodes if node.record}
            assert sorted(names.values()) == ["a", "b", "c", "d", "e"]
            assert {names[body] for _, body in edges(graph, "body")} == {"c", "e"}
            assert len(edges(graph, "member")) == 4

    def test_the_members_of_a_group(self, app: celery.Celery) -> None:
        found = self.sent(app, group([Signature("pay", app=app) for _ in range(3)], app=app))
        graph = of_group(found[0].headers["group"])
        ids = {message.headers["id"] for message in found}
        assert known(graph) == ids
        assert edges(graph, "member") == {(found[0].headers["group"], one) for one in ids}
        assert len(graph.edges) == 3
