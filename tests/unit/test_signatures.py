"""Fresh ids for the steps of a workflow, with workflows as Celery itself freezes them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import celery
import pytest
from celery import chain, chord, group

from z4j_django.exceptions import OperationError
from z4j_django.operations import signatures

app = celery.Celery("test", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task(name="add", shared=False)
def add(x: int, y: int) -> int:
    return x + y


@app.task(name="total", shared=False)
def total(numbers: list[int]) -> int:
    return sum(numbers)


def as_sent(value: Any) -> Any:
    """As it arrives: plain JSON."""
    return json.loads(json.dumps(value))


def chained(*steps: Any) -> dict[str, Any]:
    """The embed of the first step of a chain."""
    whole = chain(*steps, app=app)
    whole.freeze()
    tasks, _ = whole.prepare_steps((), {}, whole.tasks, app=app)
    return as_sent({"callbacks": None, "errbacks": None, "chain": tasks[:-1], "chord": None})


def member(header: list[Any], body: Any, place: int = 0) -> dict[str, Any]:
    """The embed of a chord's member."""
    whole = chord(header, body, app=app)
    whole.freeze()
    options = whole.tasks.tasks[place].options
    return as_sent({"chain": None, "chord": options["chord"]})


def ids_of(embed: dict[str, Any]) -> list[str]:
    return [signatures.id_of(one) for one in signatures.inside(embed) if signatures.id_of(one)]


def numbered() -> Any:
    count = itertools.count()
    return lambda: f"new-{next(count)}"


def test_each_step_of_a_chain_gets_a_fresh_id() -> None:
    embed = chained(add.s(1, 2), add.s(3), add.s(4))
    assert len(ids_of(embed)) == 2
    renewed = signatures.renew(embed, {}, numbered())
    assert sorted(ids_of(renewed)) == ["new-0", "new-1"]
    for old, new in zip(embed["chain"], renewed["chain"], strict=True):
        assert (new["task"], new["args"]) == (old["task"], old["args"])
        assert "reply_to" not in new["options"]


def test_what_was_given_is_left_as_it_is() -> None:
    embed = chained(add.s(1, 2), add.s(3))
    before = json.dumps(embed)
    signatures.renew(embed, {})
    assert json.dumps(embed) == before


def test_one_id_in_several_places_stays_one_id() -> None:
    embed = chained(add.s(1, 2), group(add.s(1), add.s(2)), total.s())
    old, renewed = ids_of(embed), ids_of(signatures.renew(embed, {}, numbered()))
    # The body's signature stands in the chord, and once more in each member.
    assert max(Counter(old).values()) > 1
    assert sorted(Counter(renewed).values()) == sorted(Counter(old).values())
    assert not set(old) & set(renewed)


def test_a_groups_members_are_those_of_the_fresh_group() -> None:
    embed = chained(add.s(1, 2), group(add.s(1), add.s(2)), total.s())
    renewed = signatures.renew(embed, {})
    [step] = [one for one in signatures.inside(renewed) if one["subtask_type"] == "chord"]
    header = step["kwargs"]["header"]
    members = header["kwargs"]["tasks"]
    frozen = {one["options"]["group_id"] for one in members if "group_id" in one["options"]}
    assert frozen <= {header["options"]["task_id"]}


def test_the_group_around_it_keeps_its_id_unless_it_has_a_fresh_one() -> None:
    embed = {"chain": [{"task": "add", "options": {"task_id": "last", "group_id": "outer"}}]}
    assert signatures.renew(embed, {})["chain"][0]["options"]["group_id"] == "outer"
    renewed = signatures.renew(embed, {"outer": "fresh"})
    assert renewed["chain"][0]["options"]["group_id"] == "fresh"


def test_root_and_parent_follow_the_tasks_that_are_renewed() -> None:
    options = {"task_id": "next", "root_id": "me", "parent_id": "me", "group_id": None}
    embed = {"chain": [{"task": "add", "options": options}]}
    renewed = signatures.renew(embed, {"me": "me again"})["chain"][0]["options"]
    assert (renewed["root_id"], renewed["parent_id"]) == ("me again", "me again")


def test_links_at_every_depth_are_renewed() -> None:
    inner = add.s(1).set(task_id="inner")
    step = add.s(2).set(task_id="step", link=[chain(add.s(5), inner, app=app)])
    embed = as_sent({"callbacks": [step], "errbacks": [add.s(1).set(task_id="error")]})
    renewed = ids_of(signatures.renew(embed, {}))
    assert len(renewed) == 3
    assert not set(renewed) & {"inner", "step", "error"}


def test_a_chords_member_feeds_its_body() -> None:
    embed = member([add.s(1, 1), add.s(2, 2)], total.s().set(task_id="the body"))
    found = signatures.chord_of(embed)
    assert found is not None
    assert signatures.id_of(found) == "the body"
    assert signatures.without_chord(embed)["chord"] is None


@pytest.mark.parametrize(
    "last",
    [add.s(2), chord([add.s(1), add.s(2)], total.s()), group(add.s(1), add.s(2))],
    ids=["a task", "a chord", "a group"],
)
def test_the_end_of_a_members_chain_feeds_the_chord(last: Any) -> None:
    whole = chord(
        [chain(add.s(1, 1), last, app=app), add.s(3, 3)],
        total.s().set(task_id="the body"),
        app=app,
    )
    whole.freeze()
    first = whole.tasks.tasks[0]
    tasks, _ = first.prepare_steps((), {}, first.tasks, app=app, clone=False)
    embed = as_sent({"chain": tasks[:-1], "chord": None})
    if last.get("subtask_type") == "group":  # as Celery hands it to the group that it publishes
        embed["chain"][0]["options"]["chord"] = as_sent(whole.body)
    found = signatures.chord_of(embed)
    assert found is not None
    assert signatures.id_of(found) == "the body"
    assert signatures.chord_of(signatures.without_chord(embed)) is None


def test_a_chord_inside_a_chain_is_no_chord_that_the_first_step_feeds() -> None:
    embed = chained(add.s(1, 2), group(add.s(1), add.s(2)), total.s())
    assert signatures.chord_of(embed) is None
    assert signatures.without_chord(embed)["chain"] == embed["chain"]


@pytest.mark.parametrize("embed", [{}, {"chain": None, "chord": None}, {"chain": "text"}])
def test_nothing_comes_of_nothing(embed: dict[str, Any]) -> None:
    assert list(signatures.inside(embed)) == []
    assert signatures.chord_of(embed) is None
    assert signatures.renew(embed, {}) == embed


@pytest.mark.parametrize(
    "hostile",
    [
        {"task": "add", "options": None},
        {"task": "add", "options": {"task_id": 7, "link": 3, "chord": "x"}},
        {"task": "celery.chain", "subtask_type": "chain", "kwargs": None, "options": {}},
        {"task": "celery.chord", "subtask_type": "chord", "kwargs": {"header": 1}, "options": {}},
        {"task": 5},
        None,
        [[]],
    ],
)
def test_what_is_no_signature_is_left_alone(hostile: Any) -> None:
    embed = {"callbacks": [hostile], "chain": [hostile], "chord": hostile}
    signatures.renew(embed, {})
    signatures.chord_of(embed)
    signatures.without_chord(embed)


def test_a_workflow_that_is_nested_too_deeply_is_refused() -> None:
    signature: dict[str, Any] = {"task": "add", "options": {"task_id": "x"}}
    for _ in range(signatures.DEPTH):
        signature = {"task": "add", "options": {"link": [signature]}}
    with pytest.raises(OperationError, match="nested more than"):
        signatures.renew({"callbacks": [signature]}, {})


def test_a_workflow_with_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "COUNT", 3)
    embed = {"chain": [{"task": "add", "options": {}}] * 4}
    with pytest.raises(OperationError, match="more than 3 parts"):
        signatures.renew(embed, {})
