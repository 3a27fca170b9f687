"""What stays bounded on a host whose database is away, slow, or has much to catch up with.

Values without bounds are in ``tests/unit/test_bounds.py``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.waiting import wait_until
from z4j_django.agent import events, failures, journal, shipper_process
from z4j_django.models import JournalLoss

WHOLE = ["sent", "received", "started", "succeeded"]
MEGABYTE = 1024 * 1024
#: The smallest cap that the settings allow.
CAP = 16 * MEGABYTE
#: Events, of three a task, for the measure of a shipper's memory.
MANY = 120_000
#: What a shipper may take at most, Django and its database driver included.
CEILING = 95 * MEGABYTE
PUBLISH_LARGE = """
print(json.dumps([
    tasks.measure.delay(f"{number} " + "x" * 12_000).id for number in range(COUNT)
]))
"""
#: Makes each row of the timeline take ten milliseconds.
SLOW = """
CREATE FUNCTION slowly() RETURNS trigger AS
'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END' LANGUAGE plpgsql;
CREATE TRIGGER slowly BEFORE INSERT ON z4j_django_taskevent
FOR EACH ROW EXECUTE FUNCTION slowly();
"""


def size_of(directory: Path) -> int:
    return sum(journal.sizes(directory).values())


def test_past_its_cap_a_journal_loses_the_oldest_and_says_how_many(make_scene: SceneMaker) -> None:
    with make_scene(database="unmigrated") as scene:
        environment = {
            **scene.environment(JOURNAL_MAX_BYTES=CAP, SHIPPER="external"),
            "SCENE_RESULTS": "disabled://",
        }
        ids = json.loads(scene.script(f"COUNT = 2_600\n{PUBLISH_LARGE}", environment))
        assert size_of(scene.journal) > 30 * MEGABYTE
        environment["SCENE_Z4J"] = scene.environment(JOURNAL_MAX_BYTES=CAP)["SCENE_Z4J"]
        worker = scene.worker("-P", "solo", "-Q", "another-queue", environment=environment)
        wait_until(lambda: size_of(scene.journal) <= CAP, PATIENCE, "a journal below its cap")
        worker.wait_for_output("The journal is full: ")
        scene.migrate()
        losses = JournalLoss.objects.using(scene.records.alias)
        wait_until(losses.exists, PATIENCE, "the losses on record")
        kept = scene.records.events.filter(kind="task_sent").order_by("at")
        wait_until(
            lambda: kept.count() + sum(losses.values_list("count", flat=True)) == len(ids),
            PATIENCE,
            "every event on record or counted as lost",
        )
        assert set(losses.values_list("reason", flat=True)) == {events.OVER_CAP}
        lost = sum(losses.values_list("count", flat=True))
        assert 0 < lost < len(ids)
        assert list(kept.values_list("task_id", flat=True)) == ids[lost:]
        status = scene.run(sys.executable, "-m", "django", "z4j_status", "--json")
        assert sum(loss["ever"] for loss in json.loads(status.stdout)["losses"]) == lost


def test_a_store_slower_than_the_tasks_catches_up_and_holds_none_of_them_up(
    make_scene: SceneMaker,
) -> None:
    with make_scene("redis", "postgresql") as scene:
        environment = {**scene.environment(), "SCENE_RESULTS": "disabled://"}
        worker = scene.worker("-P", "prefork", "-c", "2", environment=environment)
        with psycopg.connect(scene.database, autocommit=True) as connection:
            connection.execute(SLOW)
        code = "print(json.dumps([tasks.add.delay(n, n).id for n in range(150)]))"
        ids = scene.publish_many(code)
        worker.wait_for_output(f"Task add[{ids[-1]}] succeeded")
        # 600 events take the store six seconds; the tasks have not waited for it.
        assert scene.records.unfinished(ids)
        assert size_of(scene.journal) > 0
        wait_until(lambda: not scene.records.unfinished(ids), PATIENCE, "the store's catching up")
        timelines = {tuple(scene.records.timeline(task_id)) for task_id in ids}
        assert timelines == {tuple(WHOLE)}


def memory(pid: int) -> int:
    """The most bytes that a process has had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def write_small(directory: Path) -> int:
    """A long queue of small events; how many."""
    writer = journal.Journal(directory, "default")
    kinds = (events.TASK_RECEIVED, events.TASK_STARTED, events.TASK_SUCCEEDED)
    now = time.time()
    for number in range(MANY // len(kinds)):
        for rank, kind in enumerate(kinds):
            at = now + number / 1000 + rank / 10_000
            event = events.TaskEvent(kind=kind, task_id=f"task-{number}", at=at, name="add")
            writer.write(events.encode(event))
    writer.close()
    return MANY


def write_large(directory: Path) -> int:
    """Failures with the longest tracebacks that capture makes: 50 MB of them."""
    writer = journal.Journal(directory, "default")
    frame = '  File "/srv/shop/orders.py", line 10, in pay\n    raise ValueError(amount)\n'
    traceback = (frame * failures.TRACEBACK)[: failures.TRACEBACK]
    now, count = time.time(), 50 * MEGABYTE // failures.TRACEBACK
    failure = events.Failure("ValueError", "x" * failures.MESSAGE, traceback)
    for number in range(count):
        event = events.TaskEvent(
            kind=events.TASK_FAILED, task_id=f"task-{number}", at=now, failure=failure
        )
        writer.write(events.encode(event))
    writer.close()
    return count


@pytest.mark.parametrize("write", [write_small, write_large])
def test_a_shippers_memory_has_a_ceiling(
    make_scene: SceneMaker, write: Callable[[Path], int]
) -> None:
    with make_scene(database="postgresql") as scene:
        count = write(scene.journal)
        command = shipper_process.command(
            scene.journal, "z4j_django.store.writer:database_sink", os.getpid(), 1024**3
        )
        given = scene.script("from z4j_django import handover; print(handover.give().decode())")
        program = scene.start(*command, name="shipper", given=given.encode())
        wait_until(lambda: not scene.segments(), 90.0, "an empty journal")
        used = memory(program.pid)
        print(f"{write.__name__}: {count} events, {used / MEGABYTE:.0f} MB")
        program.stop()
        assert scene.records.events.count() == count
        assert used < CEILING
