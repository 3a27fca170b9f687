"""Chords whose body is a chord or a group, and chains around groups, played by Celery itself."""

from __future__ import annotations

from collections.abc import Callable

import celery
import pytest
from celery import chain, chord, group
from celery.canvas import Signature
from django.test import Client

from tests.integration import api_client, pages, played
from tests.integration.api_client import address
from tests.integration.played import Play
from z4j_django import operations, states
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation, TaskRecord
from z4j_django.operations import groups as retrying
from z4j_django.queries import graphs, groups

pytestmark = pytest.mark.django_db

Workflow = Callable[[Play], Signature]


@pytest.fixture
def play(chord_app: celery.Celery) -> Play:
    return Play(chord_app)


def pair(play: Play, name: str) -> Signature:
    return group([play.task(name, 1), play.task(name, 2)], app=play.app)


def group_group_task(play: Play) -> Signature:
    return pair(play, "a") | pair(play, "b") | play.task("end")


def task_group_group_task(play: Play) -> Signature:
    return play.task("then", 0) | pair(play, "a") | pair(play, "b") | play.task("end")


def chord_of_chord(play: Play) -> Signature:
    return chord(pair(play, "a"), pair(play, "b") | play.task("end"), app=play.app)


def group_group(play: Play) -> Signature:
    return pair(play, "a") | pair(play, "b")


def body_chain(play: Play) -> Signature:
    return chord(pair(play, "a"), chain(play.task("then"), pair(play, "b"), play.task("end")))


WITH_END = [group_group_task, task_group_group_task, chord_of_chord]
ALL = [*WITH_END, group_group, body_chain]


def failed(group: GroupRecord) -> Operation:
    return operations.retry_group(group.group_id, actor="me", members="failed")


def retried(play: Play, group: GroupRecord, members: str) -> list[str]:
    """The names of what ran when it was retried."""
    play.broken, play.runs = set(), []
    with play.recorded():
        operations.retry_group(group.group_id, actor="me", members=members)
        play.work()
    return play.runs


@pytest.mark.parametrize("broken", ["", "a"])
@pytest.mark.parametrize("workflow", ALL)
def test_only_tasks_are_on_record_as_tasks(play: Play, workflow: Workflow, broken: str) -> None:
    play.broken = {broken}
    play.run(workflow(play))
    assert played.pseudo() == []
    if not broken:
        assert set(TaskRecord.objects.values_list("state", flat=True)) == {states.SUCCESS}


@pytest.mark.parametrize("workflow", WITH_END)
def test_a_body_that_is_a_chord_is_that_chord(play: Play, workflow: Workflow) -> None:
    play.broken = {"a"}
    play.run(workflow(play))
    outer, inner = played.chord_of("a"), played.chord_of("b")
    assert (outer.kind, outer.size, outer.body_id) == ("chord", 2, inner.group_id)
    [end] = played.of("end")
    assert (inner.kind, inner.size, inner.body_id) == ("chord", 2, end.task_id)
    assert {one.state for one in [*played.of("b"), end]} == {states.PENDING}


@pytest.mark.parametrize("workflow", ALL)
def test_of_what_wholly_succeeded_nothing_is_retried(play: Play, workflow: Workflow) -> None:
    play.run(workflow(play))
    with pytest.raises(OperationError, match="Nothing to run again: all 2 members of"):
        failed(played.chord_of("a"))


@pytest.mark.parametrize("workflow", [*WITH_END, group_group])
def test_what_failed_in_the_body_runs_again_alone(play: Play, workflow: Workflow) -> None:
    play.broken = {"b"}
    play.run(workflow(play))
    outer = played.chord_of("a")
    ends = [] if workflow is group_group else ["end"]
    assert retried(play, outer, "failed") == ["b", "b", *ends]
    # The original group stands for its retries.
    with pytest.raises(OperationError, match=f"which comes after {outer.group_id}, succeeded"):
        failed(outer)


@pytest.mark.parametrize("workflow", [*WITH_END, group_group])
def test_all_that_runs_again_says_what_it_retries(play: Play, workflow: Workflow) -> None:
    play.run(workflow(play))
    old = {one.task_id: one.name for one in TaskRecord.objects.exclude(name="then")}
    retried(play, played.chord_of("a"), "all")
    new = TaskRecord.objects.exclude(task_id__in=old).exclude(name="then")
    assert {one.retry_of: one.name for one in new} == old
    assert {one.operation for one in new} == {Operation.objects.get().pk}


@pytest.mark.parametrize("workflow", [*WITH_END, group_group])
def test_the_body_of_a_chord_that_did_not_complete_is_not_retried(
    play: Play, workflow: Workflow
) -> None:
    play.broken = {"a"}
    play.run(workflow(play))
    outer = played.chord_of("a")
    inner = GroupRecord.objects.get(group_id=outer.body_id)
    with pytest.raises(OperationError, match=f"It is the body of the chord {outer.group_id}, and"):
        failed(inner)
    ends = [] if workflow is group_group else ["end"]
    assert retried(play, outer, "failed") == ["a", "a", "b", "b", *ends]


def test_a_body_that_waits_is_refused(play: Play) -> None:
    play.run(group_group_task(play))
    TaskRecord.objects.filter(name="b").update(state=states.STARTED)
    for members in ("all", "failed", "body"):
        with pytest.raises(OperationError, match=r"2 tasks of .* have not ended"):
            operations.retry_group(played.chord_of("a").group_id, actor="me", members=members)


def test_the_members_of_a_body_are_not_those_of_its_header(play: Play) -> None:
    play.run(pair(play, "a") | group([play.task("b", n) for n in range(3)], app=play.app))
    outer = GroupRecord.objects.get(kind="chord")
    inner = GroupRecord.objects.get(kind="group")
    assert (outer.size, inner.size, outer.body_id) == (2, 3, inner.group_id)
    assert [one.name for one in groups.members(outer).records] == ["a", "a"]
    assert [one.name for one in groups.members(inner).records] == ["b", "b", "b"]
    assert retried(play, inner, "all") == ["b", "b", "b"]


def test_a_group_in_a_chain_runs_again_without_what_came_before(play: Play) -> None:
    play.run(play.task("then") | pair(play, "a") | play.task("end"))
    assert retried(play, played.chord_of("a"), "all") == ["a", "a", "end"]


def test_a_group_at_the_end_of_a_chain_runs_again_alone(play: Play) -> None:
    play.run(play.task("then") | pair(play, "a"))
    assert retried(play, played.chord_of("a"), "all") == ["a", "a"]


@pytest.mark.parametrize(
    ("broken", "members", "ran"),
    [
        ("a", "failed", ["a", "a", "b", "b", "c", "end"]),
        ("b", "failed", ["b", "b", "c", "end"]),
        ("b", "all", ["a", "a", "d", "b", "b", "c", "end"]),
    ],
)
def test_a_chord_with_such_a_body_is_a_member(
    play: Play, broken: str, members: str, ran: list[str]
) -> None:
    inner = chord(pair(play, "a"), pair(play, "b") | play.task("c"), app=play.app)
    play.broken = {broken}
    play.run(chord([inner, play.task("d")], play.task("end"), app=play.app))
    assert played.pseudo() == []
    outer = played.chord_of("d")
    assert (outer.size, sorted(retried(play, outer, members))) == (2, sorted(ran))


def test_a_member_that_ends_in_a_group_goes_on_where_it_stopped(play: Play) -> None:
    member = play.task("then") | pair(play, "b")
    with play.recorded():  # Celery's own chord of such a member waits for ever in one process
        chord([member, play.task("c")], play.task("end"), app=play.app).apply_async()
        first, other = play.receive()
    assert played.pseudo() == []
    TaskRecord.objects.filter(task_id=first.id).update(state=states.FAILURE)
    TaskRecord.objects.filter(task_id=other.id).update(state=states.SUCCESS)
    play.app.backend.store_result(other.id, 1, states.SUCCESS)
    plan = retrying.preview(played.chord_of("c").group_id, {"members": "failed"})
    assert (plan.runs, plan.replays) == ([first.id], [other.id])


def test_a_member_that_ends_in_a_chord_goes_on_where_it_stopped(play: Play) -> None:
    member = play.task("then") | pair(play, "b") | play.task("d")
    play.broken = {"then"}
    play.run(group([member, play.task("c")], app=play.app))
    assert retried(play, played.chord_of("c"), "failed") == ["then", "b", "b", "d"]


@pytest.mark.parametrize(
    ("verb", "options"), [("cancel", {}), ("retry", {}), ("terminate", {"signal": "TERM"})]
)
def test_what_is_a_group_is_no_task_to_act_on(
    play: Play, verb: str, options: dict[str, str]
) -> None:
    play.broken = {"a"}
    play.run(group_group_task(play))
    operation = operations.perform(verb, [played.chord_of("a").body_id], options, actor="me")
    [target] = operation.targets.all()
    assert (target.outcome, target.reason) == (
        "refused",
        "It is no task but a chord: act on its members, or retry the group.",
    )


@pytest.mark.parametrize("workflow", [group_group_task, group_group])
def test_the_graph_leads_from_a_chord_to_the_group_that_is_its_body(
    play: Play, workflow: Workflow
) -> None:
    play.run(workflow(play))
    outer = played.chord_of("a")
    for graph in (
        graphs.of_group("default", outer.group_id),
        graphs.of_group("default", outer.body_id),
        graphs.of_task("default", played.of("b")[0].task_id),
    ):
        assert graph is not None
        assert [node.record is None for node in graph.nodes] == [False] * len(graph.nodes)
        assert {one.group_id: dict(one.counts) for one in graph.groups} == {
            outer.group_id: {"SUCCESS": 2},
            outer.body_id: {"SUCCESS": 2},
        }
        edges = {(edge.kind, edge.source, edge.target) for edge in graph.edges}
        assert ("body", outer.group_id, outer.body_id) in edges
        for name, group_id in (("a", outer.group_id), ("b", outer.body_id)):
            members = {one.task_id for one in played.of(name)}
            found = {to for kind, by, to in edges if (kind, by) == ("member", group_id)}
            assert found == members


def test_a_page_of_groups_has_the_task_that_takes_the_results_in_the_end(play: Play) -> None:
    play.run(pair(play, "a") | pair(play, "b") | pair(play, "c") | play.task("end"))
    [end] = played.of("end")
    page = [played.chord_of(name) for name in "abc"]
    assert set(groups.bodies(page).values()) == {end}
    assert len(groups.bodies(page)) == 3


def test_pages_lead_from_a_task_to_the_group_that_is_the_body(
    play: Play, admin_client: Client
) -> None:
    play.run(group_group(play))
    outer = played.chord_of("a")
    inner = GroupRecord.objects.get(group_id=outer.body_id)
    address = pages.page(inner)
    for record in (played.of("a")[0], played.of("b")[0], outer):
        assert address in admin_client.get(pages.page(record)).content.decode()
    assert pages.page(outer) in admin_client.get(address).content.decode()


@pytest.mark.parametrize("broken", ["then", "a", "b"])
def test_the_later_steps_of_a_failed_chain_are_in_the_graph_as_never_sent(
    play: Play, broken: str
) -> None:
    names = ["then", "a", "b", "end"]
    play.broken = {broken}
    play.run(chain([play.task(name) for name in names], app=play.app))
    assert TaskRecord.objects.count() == names.index(broken) + 1
    graph = graphs.of_task("default", played.of("then")[0].task_id)
    assert graph is not None
    named = {node.task_id: node.record.name if node.record else node.name for node in graph.nodes}
    assert sorted(named.values()) == sorted(names)
    never = {named[node.task_id] for node in graph.nodes if node.never_sent}
    assert never == set(names[names.index(broken) + 1 :])
    edges = [(edge.kind, named[edge.source], named[edge.target]) for edge in graph.edges]
    sent = names.index(broken)
    kinds = ["parent"] * sent + ["next"] * (3 - sent)
    assert sorted(edges) == sorted(zip(kinds, names, names[1:], strict=False))


def test_what_follows_the_body_of_a_failed_chord_is_in_the_graph(play: Play) -> None:
    play.broken = {"a"}
    play.run(play.task("then") | pair(play, "a") | play.task("b") | play.task("end"))
    graph = graphs.of_group("default", played.chord_of("a").group_id)
    assert graph is not None
    assert [node.name for node in graph.nodes if node.record is None] == ["end"]
    [edge] = [edge for edge in graph.edges if edge.kind == "next"]
    assert edge.source == played.of("b")[0].task_id


def test_steps_that_wait_for_one_that_runs_may_yet_be_sent(play: Play) -> None:
    with play.recorded():
        chain(play.task("then"), play.task("end"), app=play.app).apply_async()
    [then] = played.of("then")
    nodes = api_client.body(api_client.client().get(address("tasks", then.task_id, "graph")))
    step = nodes["nodes"][1]
    assert (step["name"], step["known"], step["never_sent"]) == ("end", False, False)
    TaskRecord.objects.update(state=states.REVOKED)
    nodes = api_client.body(api_client.client().get(address("tasks", then.task_id, "graph")))
    assert nodes["nodes"][1]["never_sent"] is True


def test_the_page_of_a_failed_task_names_the_steps_that_were_never_sent(
    play: Play, admin_client: Client
) -> None:
    play.broken = {"then"}
    play.run(chain(play.task("then"), play.task("a"), play.task("end"), app=play.app))
    page = admin_client.get(pages.page(played.of("then")[0])).content.decode()
    assert page.count("Next step, never sent") == 2
