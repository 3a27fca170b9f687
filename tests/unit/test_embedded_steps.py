"""Steps of a workflow that a message carries."""

from __future__ import annotations

from celery import Celery, Signature, chain, chord, group, signals
from celery.utils.functional import regen

from z4j_django.agent import embedded_steps, events

app = Celery("canvas", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task
def add(*numbers: int) -> int:
    return sum(numbers)


def signature(task_id: str, **options: object) -> dict[str, object]:
    return {"task": "add", "options": {"task_id": task_id, **options}}


def test_a_body_knows_its_own_chord() -> None:
    inner = signature("inner", group_id="g", group_index=3, chord=signature("outer"))
    body = embedded_steps.chord_body({"chord": inner})
    assert body is not None
    assert (body.task_id, body.group_id, body.group_index) == ("inner", "g", 3)
    assert body.chord is not None
    assert body.chord.task_id == "outer"


def test_only_a_chains_steps_in_a_group_are_members() -> None:
    embed = {"chain": [signature("last", group_id="g", group_index=0), signature("middle")]}
    assert [step.task_id for step in embedded_steps.chain_members(embed)] == ["last"]


def test_a_chain_that_goes_on_after_a_body_has_its_member_too() -> None:
    last = signature("last", group_id="outer", group_index=2, chord=signature("outer body"))
    body = signature("body", chain=[last, signature("middle")])
    assert [step.task_id for step in embedded_steps.chain_members({"chord": body})] == ["last"]


def test_a_step_tells_what_it_retries() -> None:
    body = signature("new", headers={"z4j": {"retry_of": "old", "operation": 7}})
    step = embedded_steps.chord_body({"chord": body})
    assert step is not None
    assert (step.retry_of, step.operation) == ("old", 7)
    for odd in ({"z4j": "x"}, {"z4j": {"retry_of": 3, "operation": "x"}}, [1], None):
        step = embedded_steps.chord_body({"chord": signature("new", headers=odd)})
        assert step is not None
        assert (step.retry_of, step.operation) == ("", None)


def embeds(workflow: Signature) -> list[dict[str, object]]:
    """What Celery sends along with each message of ``workflow``."""
    sent: list[dict[str, object]] = []

    def keep(body: tuple[object, object, dict[str, object]], **kwargs: object) -> None:
        sent.append(body[2])

    signals.before_task_publish.connect(keep)
    try:
        workflow.apply_async()
    finally:
        signals.before_task_publish.disconnect(keep)
    return sent


def test_celerys_own_chord_is_understood() -> None:
    bodies = [
        embedded_steps.chord_body(embed) for embed in embeds(chord([add.s(1), add.s(2)], add.s()))
    ]
    assert len({body.task_id for body in bodies if body is not None}) == 1


def test_celerys_own_chain_in_a_group_is_understood() -> None:
    first, second = embeds(group(chain(add.s(1), add.s(2)), add.s(3)))
    assert [step.group_index for step in embedded_steps.chain_members(first)] == [0]
    assert embedded_steps.chain_members(second) == ()


def test_a_hostile_embed_is_nothing() -> None:
    hostile: list[object] = [None, 3, "chord", [], {"chord": 1}, {"chain": "abc"}, {"chain": [1]}]
    hostile.append({"chord": {"options": {"task_id": {"no": "text"}}}})
    for embed in hostile:
        assert embedded_steps.chord_body(embed) is None
        assert embedded_steps.chain_members(embed) == ()


def test_a_chord_that_feeds_itself_ends() -> None:
    body = signature("a")
    body["options"]["chord"] = body  # type: ignore[index]
    depth = 0
    step = embedded_steps.chord_body({"chord": body})
    while step is not None:
        depth, step = depth + 1, step.chord
    assert depth == embedded_steps.DEPTH


def test_a_body_that_is_a_chord_is_its_header_and_its_body() -> None:
    workflow = group(add.s(1), add.s(2)) | group(add.s(3), add.s(4), add.s(5)) | add.s(6)
    first, second = (embedded_steps.chord_body(embed) for embed in embeds(workflow))
    assert first is not None
    assert first == second
    assert first.chord is not None
    assert (first.name, first.size, first.chord.group_id != first.task_id) == (
        "celery.chord",
        3,
        True,
    )
    assert [(one.group_id, one.group_index) for one in first.members] == [
        (first.task_id, index) for index in range(3)
    ]
    assert {one.chord for one in first.members} == {first.chord}


def test_of_a_bodys_body_that_is_a_group_the_id_is_not_known_yet() -> None:
    workflow = chord(
        [add.s(1), add.s(2)], chord([add.s(3), add.s(4)], group(add.s(5), add.s(6)), app=app)
    )
    body = embedded_steps.chord_body(embeds(workflow)[0])
    assert body is not None
    assert body.chord == events.Step("", "celery.group")


def test_the_body_that_is_a_chain_is_its_first_step() -> None:
    body = {"task": "celery.chain", "kwargs": {"tasks": [signature("one"), signature("two")]}}
    body["options"] = {"task_id": "two"}
    step = embedded_steps.chord_body({"chord": body})
    assert step is not None
    assert step.task_id == "one"


def test_of_a_group_with_many_members_the_first_are_told() -> None:
    tasks = [signature(f"t{n}") for n in range(embedded_steps.MEMBERS + 1)]
    body = {"task": "celery.group", "kwargs": {"tasks": tasks}, "options": {"task_id": "g"}}
    step = embedded_steps.chord_body({"chord": body})
    assert step is not None
    assert (step.size, len(step.members)) == (len(tasks), embedded_steps.MEMBERS)


def test_a_generator_in_a_workflow_is_left_to_celery() -> None:
    ran: list[int] = []
    tasks = regen(ran.append(n) or signature(f"t{n}") for n in range(3))  # type: ignore[func-returns-value]
    body = {"task": "celery.group", "kwargs": {"tasks": tasks}, "options": {"task_id": "g"}}
    step = embedded_steps.chord_body({"chord": body})
    assert step == events.Step("g", "celery.group")
    assert ran == []
