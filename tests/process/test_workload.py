"""One of everything that Celery can do to a task, on each broker, database and pool."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.records import Records
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

OPTIONS = {
    "prefork": ("-P", "prefork", "-c", "2"),
    "threads": ("-P", "threads", "-c", "2"),
    "solo": ("-P", "solo"),
    "gevent": ("-P", "gevent", "-c", "10"),
}
COMBINATIONS = [
    ("filesystem", "sqlite", "prefork"),
    ("redis", "postgresql", "prefork"),
    ("rabbitmq", "mariadb", "prefork"),
    ("filesystem", "sqlite", "threads"),
    ("filesystem", "sqlite", "solo"),
    ("redis", "sqlite", "gevent"),
]
#: Only a pool of processes can lose one.
PREFORK = [combination for combination in COMBINATIONS if combination[2] == "prefork"]
#: Their tasks can leave and the worker stays, but nobody tells of it.
THREADS = [combination for combination in COMBINATIONS if combination[2] in ("threads", "gevent")]
#: What a task goes through that nothing special happens to.
WHOLE = ["sent", "received", "started", "succeeded"]


@dataclass(frozen=True)
class Played:
    """A workload after its end.

    Attributes:
        ids: As the workload named them.
    """

    scene: Scene
    pool: str
    ids: dict[str, Any]
    main_pid: int

    @property
    def records(self) -> Records:
        """What is on record."""
        return self.scene.records


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def played(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Played]:
    broker, database, pool = request.param
    with make_scene(broker, database) as scene:
        worker = scene.worker(*OPTIONS[pool], "--prefetch-multiplier", "50")
        module = f"{APP}.workload"
        ended = scene.run(sys.executable, "-m", module, scene.hostname(), pool)
        assert ended.returncode == 0, ended.stderr
        ids = json.loads(ended.stdout)
        try:
            wait_until(
                lambda: not scene.records.unfinished(_that_end(ids)),
                PATIENCE,
                "the end of the workload",
            )
            worker.stop()
        except AssertionError as error:
            missing = scene.records.unfinished(_that_end(ids))
            error.add_note(f"unfinished: {missing} of {ids}\n{scene.logs()}")
            raise
        scene.assert_nothing_is_left()
        yield Played(scene, pool, ids, worker.pid)


def _that_end(ids: dict[str, Any]) -> set[str]:
    """The ids of all tasks that come to an end."""
    found = {"published-by-a-task"}
    for name, value in ids.items():
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list):
            found.update(value)
        elif isinstance(value, dict):
            found.update(value["members"])
            if "body" in value and name != "broken chord":
                found.add(value["body"])
    return found


def _chords(ids: dict[str, Any]) -> list[dict[str, Any]]:
    return [ids["chord"], ids["broken chord"], ids["outer chord"]]


def test_each_task_has_exactly_the_events_it_went_through(played: Played) -> None:
    expected = {
        "success": WHOLE,
        "failure": ["sent", "received", "started", "failed"],
        "parent": WHOLE,
        "ignored": ["sent", "received", "started", "ignored"],
        "rejected": ["sent", "received", "started", "rejected"],
        "unknown": ["sent", "rejected"],
        "expired": ["sent", "received", "revoked"],
        "revoked": ["sent", "revoked"],
        "large": WHOLE,
        "basket": WHOLE,
        "custom": WHOLE,
        "countdown": WHOLE,
        "eager": ["started", "succeeded"],
    }
    if played.pool == "prefork":
        expected["overrun"] = expected["killed"] = ["sent", "received", "started", "failed"]
    found = {name: played.records.timeline(played.ids[name]) for name in expected}
    assert found == expected


def test_each_attempt_has_its_own_events(played: Played) -> None:
    assert played.records.counted(played.ids["retried"]) == {
        "sent": 3,
        "received": 3,
        "started": 3,
        "retry": 2,
        "succeeded": 1,
    }
    assert played.records.counted(played.ids["replaced"]) == {
        "sent": 2,
        "received": 2,
        "started": 2,
        "ignored": 1,
        "succeeded": 1,
    }


def test_each_member_of_a_workflow_has_exactly_its_events(played: Played) -> None:
    ids = played.ids
    ran = [*ids["chain"], *ids["group"]["members"], *ids["mixed"]["members"]]
    ran += [ids["mixed"]["first step"], ids["chord"]["body"], ids["outer chord"]["body"]]
    ran += [*ids["chord"]["members"], *ids["outer chord"]["members"]]
    assert {tuple(played.records.timeline(task_id)) for task_id in ran} == {tuple(WHOLE)}


def test_nothing_else_is_on_record(played: Played) -> None:
    ids = played.ids
    inner = played.records.groups.get(body_id=ids["outer chord"]["members"][0])
    expected = _that_end(ids) | {ids["broken chord"]["body"], ids["mixed"]["first step"]}
    expected |= set(played.records.members(inner.group_id))
    assert set(played.records.tasks.values_list("task_id", flat=True)) == expected
    assert set(played.records.cursors.values_list("skipped", flat=True)) == {0}


def test_a_success_has_its_facts_and_its_result(played: Played) -> None:
    task = played.records.task(played.ids["success"])
    assert (task.name, task.state, task.queue) == ("add", "SUCCESS", played.scene.queue)
    assert (task.args, task.kwargs, task.result) == ([2, 3], {"note": "hello"}, 5)
    assert (task.priority, task.retries, task.deliveries) == (3, 0, 1)
    assert (task.exception_type, task.exception_message, task.traceback) == ("", "", "")
    assert (task.root_id, task.parent_id, task.group_id) == (task.task_id, "", "")
    assert task.origin.startswith(f"gen{played.ids['publisher']}@")


def test_each_task_names_the_worker_and_the_process_that_ran_it(played: Played) -> None:
    for name in ("success", "failure", "retried", "ignored", "custom"):
        task = played.records.task(played.ids[name])
        assert task.worker == played.scene.hostname()
        assert task.pid is not None
        assert (task.pid == played.main_pid) is (played.pool != "prefork")


def test_the_times_of_each_task_are_in_order(played: Played) -> None:
    without_start = {played.ids[name] for name in ("expired", "revoked", "unknown", "eager")}
    without_start.add(played.ids["broken chord"]["body"])
    whole = played.records.tasks.exclude(task_id__in=without_start)
    assert whole.count() >= 30
    for task in whole:
        times = [task.sent_at, task.received_at, task.started_at, task.finished_at]
        assert None not in times, task
        assert times == sorted(times), task  # type: ignore[type-var]  # none of them is None
        if task.task_id not in (played.ids.get("overrun"), played.ids.get("killed")):
            assert task.runtime is not None, task
            assert 0 <= task.runtime < 30, task


def test_a_failure_has_its_error(played: Played) -> None:
    task = played.records.task(played.ids["failure"])
    assert (task.state, task.result) == ("FAILURE", None)
    assert (task.exception_type, task.exception_message) == ("ValueError", "the card was declined")
    assert "raise ValueError(message)" in task.traceback
    last = played.records.events.get(task_id=task.task_id, kind="task_failed")
    assert last.detail == "ValueError: the card was declined"


def test_a_retried_task_counts_its_retries(played: Played) -> None:
    task = played.records.task(played.ids["retried"])
    assert (task.state, task.retries, task.deliveries, task.result) == ("SUCCESS", 2, 3, 2)
    assert task.exception_type == ""
    events = played.records.events.filter(task_id=task.task_id, kind="task_retry").order_by("at")
    assert [(event.retries, event.detail) for event in events] == [
        (0, "ConnectionError: nobody answers"),
        (1, "ConnectionError: nobody answers"),
    ]


def test_each_step_of_a_chain_knows_the_step_before_it(played: Played) -> None:
    first, second, third = map(played.records.task, played.ids["chain"])
    assert [step.result for step in (first, second, third)] == [2, 4, 7]
    assert [first.parent_id, second.parent_id] == ["", first.task_id]
    assert third.parent_id == second.task_id
    assert {step.root_id for step in (first, second, third)} == {first.task_id}


def test_a_group_has_its_members_in_order(played: Played) -> None:
    ids = played.ids["group"]
    group = played.records.groups.get(group_id=ids["id"])
    assert (group.kind, group.size, group.body_id, group.body_name) == ("group", 3, "", "")
    assert played.records.members(ids["id"]) == ids["members"]
    assert [played.records.task(member).result for member in ids["members"]] == [0, 2, 4]


def test_a_chord_knows_its_body_and_the_body_its_root(played: Played) -> None:
    for ids in _chords(played.ids):
        group = played.records.groups.get(group_id=ids["id"])
        assert (group.kind, group.size) == ("chord", len(ids["members"]))
        assert (group.body_id, group.body_name) == (ids["body"], "total")
        assert played.records.members(ids["id"]) == ids["members"]
        members = played.records.tasks.filter(group_id=ids["id"])
        assert {member.chord_id for member in members} == {ids["body"]}
    body = played.records.task(played.ids["chord"]["body"])
    assert (body.name, body.state, body.result) == ("total", "SUCCESS", 6)
    assert body.parent_id in played.ids["chord"]["members"]
    assert body.root_id == body.parent_id  # each member of a header is a root of its own
    assert (body.group_id, body.group_index) == ("", None)


def test_the_body_of_a_failed_chord_waits_on_record_under_its_name(played: Played) -> None:
    ids = played.ids["broken chord"]
    body = played.records.task(ids["body"])
    assert (body.name, body.state, body.sent_at) == ("total", "PENDING", None)
    assert played.records.timeline(ids["body"]) == []
    states = [played.records.task(member).state for member in ids["members"]]
    assert states == ["SUCCESS", "FAILURE"]


def test_of_a_chain_in_a_group_the_last_step_is_the_member(played: Played) -> None:
    ids = played.ids["mixed"]
    group = played.records.groups.get(group_id=ids["id"])
    assert (group.kind, group.size) == ("group", 2)
    assert played.records.members(ids["id"]) == ids["members"]
    first = played.records.task(ids["first step"])
    last = played.records.task(ids["members"][0])
    assert (first.group_id, last.parent_id, last.root_id) == ("", first.task_id, first.task_id)
    assert (first.result, last.result) == (2, 12)


def test_a_chord_in_a_chord_is_a_member_by_its_body(played: Played) -> None:
    ids = played.ids["outer chord"]
    inner = played.records.groups.get(body_id=ids["members"][0])
    assert (inner.kind, inner.size, inner.body_name) == ("chord", 2, "total")
    body = played.records.task(inner.body_id)
    assert (body.group_id, body.group_index, body.chord_id) == (ids["id"], 0, ids["body"])
    outer = played.records.task(ids["body"])
    assert (body.result, outer.result, outer.state) == (6, 12, "SUCCESS")


def test_a_task_published_by_a_task_knows_its_parent(played: Played) -> None:
    parent = played.records.task(played.ids["parent"])
    child = played.records.task("published-by-a-task")
    assert (child.parent_id, child.root_id) == (parent.task_id, parent.task_id)
    assert (child.state, child.result) == ("SUCCESS", 15)
    assert child.origin.startswith(f"gen{parent.pid}@")


def test_a_task_that_replaced_itself_ends_as_what_it_became(played: Played) -> None:
    task = played.records.task(played.ids["replaced"])
    assert (task.name, task.args) == ("replace_itself", [41])
    assert (task.state, task.result, task.retries, task.deliveries) == ("SUCCESS", 42, 0, 2)


def test_what_did_not_run_says_why(played: Played) -> None:
    def told(name: str) -> tuple[str, str, str]:
        task = played.records.task(played.ids[name])
        return task.state, task.exception_type, task.exception_message

    nobody = "No task named 'nobody.knows.this' is registered in this worker."
    assert told("unknown") == ("REJECTED", "NotRegistered", nobody)
    assert told("expired") == ("REVOKED", "", "expired")
    assert told("revoked") == ("REVOKED", "", "revoked")
    assert told("ignored") == ("IGNORED", "", "")
    assert told("rejected") == ("REJECTED", "", "")
    unknown = played.records.task(played.ids["unknown"])
    assert (unknown.name, unknown.queue) == ("nobody.knows.this", played.scene.queue)
    assert (unknown.args, unknown.worker) == ([1], played.scene.hostname())


def test_large_and_unprintable_arguments_are_on_record_within_bounds(played: Played) -> None:
    large = played.records.task(played.ids["large"])
    assert (large.state, large.result) == ("SUCCESS", 2_000_000)
    assert 0 < len(large.args[0]) < 2_000
    assert large.args[0].startswith("xxx")
    basket = played.records.task(played.ids["basket"])
    assert (basket.state, basket.result) == ("SUCCESS", {"apples": 3})
    assert basket.args == [{"apples": 3}]


def test_a_task_with_a_countdown_starts_after_its_eta(played: Played) -> None:
    task = played.records.task(played.ids["countdown"])
    assert task.eta is not None
    # gevent's timers count from when its loop woke, not from when they were set.
    early = timedelta(seconds=0.2 if played.pool == "gevent" else 0)
    assert task.sent_at < task.eta <= task.started_at + early
    expired = played.records.task(played.ids["expired"])
    assert expired.expires is not None
    assert expired.expires < expired.finished_at


def test_a_task_applied_in_place_is_on_record_without_a_worker(played: Played) -> None:
    task = played.records.task(played.ids["eager"])
    assert (task.name, task.state, task.result) == ("add", "SUCCESS", 11)
    assert (task.args, task.kwargs) == ([5, 6], {"note": "here"})
    assert (task.worker, task.pid, task.queue) == ("", played.ids["publisher"], "")
    assert (task.deliveries, task.sent_at, task.received_at) == (0, None, None)


@pytest.mark.parametrize("played", PREFORK, indirect=True, ids="-".join, scope="module")
def test_a_child_that_died_leaves_its_start_and_its_end_on_record(played: Played) -> None:
    overrun = played.records.task(played.ids["overrun"])
    assert (overrun.state, overrun.exception_type) == ("FAILURE", "TimeLimitExceeded")
    killed = played.records.task(played.ids["killed"])
    assert (killed.state, killed.exception_type) == ("FAILURE", "WorkerLostError")
    # billiard knows no signal of a child that was gone before its acknowledgement was read.
    assert re.search(r"signal 9 \(SIGKILL\)|exitcode 0", killed.exception_message)
    for task in (overrun, killed):
        assert (task.worker, task.pid) == (played.scene.hostname(), played.main_pid)
        start = played.records.events.get(task_id=task.task_id, kind="task_started")
        assert start.pid != played.main_pid


@pytest.mark.parametrize("played", THREADS, indirect=True, ids="-".join, scope="module")
def test_a_task_that_left_its_thread_has_failed(played: Played) -> None:
    left = played.records.task(played.ids["left"])
    assert (left.state, left.exception_type, left.exception_message) == (
        "FAILURE",
        "SystemExit",
        "3",
    )
    assert played.records.timeline(left.task_id) == ["sent", "received", "started", "failed"]


def test_the_worker_is_on_record(played: Played) -> None:
    worker = played.records.workers.get()
    assert (worker.hostname, worker.pid) == (played.scene.hostname(), played.main_pid)
    assert (worker.pool, worker.queues) == (played.pool, [played.scene.queue])
    assert worker.version.startswith("celery 5.")
    assert not worker.online
    assert worker.started_at <= worker.last_seen <= worker.stopped_at
