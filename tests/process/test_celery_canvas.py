"""Links, chunks, maps, stamps, and groups in chains. All other workflows: ``test_workload.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.records import Records
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

WHOLE = ["sent", "received", "started", "succeeded"]
PUBLISH = f"""
from celery import chain, group
from celery.canvas import StampingVisitor
from {APP} import endings
from {APP}.tasks import add, fail, total

class Stamps(StampingVisitor):
    def on_signature(self, signature, **headers):
        return {{"customer": "42"}}

def linked(signature, **options):
    return signature.apply_async(**options).id

stamped = group(add.s(1, 2), add.s(3, 4))
stamped.stamp(Stamps())
stamped = stamped.apply_async()
chained = chain(add.s(1, 1), group(add.s(10), add.s(20)), total.s()).apply_async()
last_group = chain(add.s(1, 1), group(add.s(30), add.s(40))).apply_async()
chunks = add.chunks([(n, n) for n in range(4)], 2).group().apply_async()
print(json.dumps({{
    "linked": linked(add.s(2, 2), link=endings.count_down.s().set(task_id="the link")),
    "link error": linked(fail.s("no"), link_error=endings.note_error.s().set(task_id="the note")),
    "old link error": linked(fail.s("no"), link_error=endings.note_id.s()),
    "body": chained.id,
    "header": [child.id for child in chained.parent.children],
    "header id": chained.parent.id,
    "first": chained.parent.parent.id,
    "last group": [child.id for child in last_group.children],
    "last group id": last_group.id,
    "chunks": [child.id for child in chunks.children],
    "map": app.tasks["total"].map([[1, 2], [3, 4]]).apply_async().id,
    "starmap": add.starmap([(1, 2), (3, 4)]).apply_async().id,
    "stamped": [child.id for child in stamped.children],
    "stamped id": stamped.id,
}}))
"""


@dataclass(frozen=True)
class Done:
    """Workflows after their ends."""

    scene: Scene
    ids: dict[str, Any]

    @property
    def records(self) -> Records:
        return self.scene.records


def _flat(ids: dict[str, Any]) -> Iterator[str]:
    for name, value in ids.items():
        if not name.endswith(" id"):
            yield from [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def done(make_scene: SceneMaker) -> Iterator[Done]:
    with make_scene("redis") as scene:
        worker = scene.worker("-P", "solo", "-I", f"{APP}.endings")
        ids = json.loads(scene.script(PUBLISH)) | {"link": "the link"}
        wait_until(lambda: not scene.records.unfinished(_flat(ids)), PATIENCE, "all ends")
        notes = scene.records.tasks.filter(name="note_id", state="SUCCESS")
        wait_until(notes.exists, PATIENCE, "the errback that is a task")
        worker.stop()
        scene.assert_nothing_is_left()
        yield Done(scene, ids)


def test_a_linked_task_follows_the_one_it_is_linked_to(done: Done) -> None:
    link = done.records.task("the link")
    assert (link.name, link.state, link.args, link.result) == ("count_down", "SUCCESS", [4], 3)
    assert link.parent_id == link.root_id == done.ids["linked"]
    assert done.records.timeline("the link") == WHOLE


def test_an_errback_leaves_the_failure_of_its_task_as_it_is(done: Done) -> None:
    failed = done.records.task(done.ids["link error"])
    assert (failed.state, failed.exception_message) == ("FAILURE", "no")
    assert done.records.timeline(failed.task_id) == ["sent", "received", "started", "failed"]
    # Celery calls an errback that takes the error itself in place: no message, no run.
    assert not done.records.tasks.filter(name="note_error").exists()


def test_an_errback_that_takes_an_id_runs_as_a_task_of_its_own(done: Done) -> None:
    note = done.records.tasks.get(name="note_id")
    failed = done.ids["old link error"]
    assert (note.args, note.parent_id, note.root_id) == ([failed], failed, failed)
    assert done.records.timeline(note.task_id) == WHOLE


def test_a_group_in_a_chain_is_a_chord_with_the_next_step_as_its_body(done: Done) -> None:
    group = done.records.groups.get(group_id=done.ids["header id"])
    assert (group.kind, group.size) == ("chord", 2)
    assert (group.body_id, group.body_name) == (done.ids["body"], "total")
    assert done.records.members(group.group_id) == done.ids["header"]
    for member in map(done.records.task, done.ids["header"]):
        assert (member.parent_id, member.chord_id) == (done.ids["first"], done.ids["body"])
    body = done.records.task(done.ids["body"])
    assert (body.state, body.result, body.root_id) == ("SUCCESS", 34, done.ids["first"])


def test_a_group_at_the_end_of_a_chain_is_a_group(done: Done) -> None:
    group = done.records.groups.get(group_id=done.ids["last group id"])
    assert (group.kind, group.size, group.body_id) == ("group", 2, "")
    assert done.records.members(group.group_id) == done.ids["last group"]
    assert [done.records.task(one).result for one in done.ids["last group"]] == [32, 42]


def test_chunks_are_a_group_of_maps(done: Done) -> None:
    chunks = [done.records.task(one) for one in done.ids["chunks"]]
    assert {chunk.name for chunk in chunks} == {"celery.starmap"}
    assert [chunk.result for chunk in chunks] == [[0, 2], [4, 6]]
    assert len({chunk.group_id for chunk in chunks}) == 1
    assert [chunk.group_index for chunk in chunks] == [0, 1]


def test_a_map_is_one_task_with_all_its_results(done: Done) -> None:
    mapped, starred = (done.records.task(done.ids[name]) for name in ("map", "starmap"))
    assert (mapped.name, mapped.result) == ("celery.map", [3, 7])
    assert (starred.name, starred.result) == ("celery.starmap", [3, 7])
    assert starred.kwargs["it"] == [[1, 2], [3, 4]]
    assert {tuple(done.records.timeline(task.task_id)) for task in (mapped, starred)} == {
        tuple(WHOLE)
    }


def test_stamped_tasks_are_on_record_as_any_others(done: Done) -> None:
    for task_id in done.ids["stamped"]:
        assert done.records.timeline(task_id) == WHOLE
    assert done.records.members(done.ids["stamped id"]) == done.ids["stamped"]
    assert [done.records.task(task_id).result for task_id in done.ids["stamped"]] == [3, 7]
