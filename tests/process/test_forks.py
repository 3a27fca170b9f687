"""Forked processes, green threads and very many threads: each writes what is its own."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.agent import journal

WHOLE = ["sent", "received", "started", "succeeded"]
THREADS = 2_000
FORKING = """
import os, signal

def publish(name):
    tasks.add.apply_async((1, 2), task_id=name)

publish("parent before")
ends_well = os.fork()
if not ends_well:
    publish("child that exits")
    sys.exit(0)
os.waitpid(ends_well, 0)
ends_badly = os.fork()
if not ends_badly:
    publish("child that is killed")
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(ends_badly, 0)
publish("parent after")
print(json.dumps([os.getpid(), ends_well, ends_badly]))
"""
MANY_THREADS = f"""
import threading

together = threading.Barrier({THREADS})
def work(number):
    together.wait()
    tasks.add.apply((number, 1), task_id=f"applied {{number}}")
    if number % 10 == 0:
        tasks.add.apply_async((number, 1), task_id=f"published {{number}}")

threading.stack_size(256 * 1024)
threads = [threading.Thread(target=work, args=(number,)) for number in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
PUBLISHING_TASKS = """
print(json.dumps([
    tasks.publish_another.delay(f"child {n}").id for n in range(COUNT)
]))
"""


def publish_publishers(scene: Scene, count: int) -> list[str]:
    """Publish tasks that publish; the ids of all."""
    ids = json.loads(scene.script(f"COUNT = {count}\n{PUBLISHING_TASKS}"))
    return [*ids, *(f"child {number}" for number in range(count))]


def writers(scene: Scene) -> Counter[int]:
    """Who writes the journal's segments."""
    found: Counter[int] = Counter()
    for path in scene.segments():
        segment = journal.SegmentFile(path)
        found[segment.header.pid] += 1
        segment.close()
    return found


def written_by(pid: int) -> list[str]:
    """The segments that a process has open for writing."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            path = Path(os.readlink(descriptor))
            about = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = int(about.partition("flags:")[2].split()[0], 8)
        if path.suffix == journal.SUFFIX and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(path.name)
    return found


def assert_whole(scene: Scene, ids: list[str]) -> None:
    """All ended well, and everything that happened is on record exactly once."""
    wait_until(lambda: not scene.records.unfinished(ids), PATIENCE, f"the end of {len(ids)} tasks")
    assert {tuple(scene.records.timeline(task_id)) for task_id in ids} == {tuple(WHOLE)}


def assert_own_pids(scene: Scene, ids: list[str]) -> None:
    """Who published, and who ran, is who wrote it down."""
    for task in scene.records.tasks.filter(task_id__in=ids):
        sent = scene.records.events.get(task_id=task.task_id, kind="task_sent")
        assert task.origin.startswith(f"gen{sent.pid}@")


PREFORK = {
    "each child for one task, a thread ships": ("thread", "-c", "2", "--max-tasks-per-child", "1"),
    "as many children as needed, a process ships": ("process", "--autoscale", "4,1"),
}


@pytest.mark.parametrize("how", PREFORK)
def test_children_that_come_and_go_share_nothing_with_their_parent(
    make_scene: SceneMaker, how: str
) -> None:
    shipping, *options = PREFORK[how]
    with make_scene("redis", "postgresql") as scene:
        environment = scene.environment(SHIPPER=shipping)
        worker = scene.worker("-P", "prefork", *options, environment=environment)
        ids = publish_publishers(scene, 6)
        assert_whole(scene, ids)
        assert_own_pids(scene, ids)
        ran = Counter(scene.records.tasks.values_list("pid", flat=True))
        assert worker.pid not in ran
        if "--max-tasks-per-child" in options:
            assert set(ran.values()) == {1}
        worker.stop()
        # A child that used, or closed, its parent's connection would have broken it.
        for trouble in ("can't be stored", "could not", "Traceback"):
            assert trouble not in worker.output()
        scene.assert_nothing_is_left()


def test_a_script_that_forks_records_what_each_process_published(scene: Scene) -> None:
    parent, ends_well, ends_badly = json.loads(scene.script(FORKING))
    expected = {
        "parent before": parent,
        "child that exits": ends_well,
        "child that is killed": ends_badly,
        "parent after": parent,
    }
    sent = scene.records.events.values_list("task_id", "pid")
    assert dict(sent) == expected
    assert sent.count() == len(expected)
    assert_own_pids(scene, list(expected))
    scene.assert_nothing_is_left()


class Site:
    """A server whose workers were forked after it had published."""

    def __init__(self, scene: Scene) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", f"{APP}.web:application", "--preload"]
        options = ["--workers", "3", "--threads", "2", "--bind", f"127.0.0.1:{self.port}"]
        self.program = scene.start(*command, *options, name="gunicorn")
        self.program.wait_for_output("Booting worker")

    def request(self) -> dict[str, Any]:
        """What it answers to a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/publish/")
            answer = connection.getresponse()
            assert answer.status == 200
            return dict(json.loads(answer.read()))
        finally:
            connection.close()


def test_each_worker_of_a_preloaded_server_has_a_segment_of_its_own(scene: Scene) -> None:
    site = Site(scene)
    published: dict[str, int] = {}

    def all_have_answered() -> bool:
        answer = site.request()
        published[answer["id"]] = answer["pid"]
        return len(set(published.values())) == 3

    wait_until(all_have_answered, PATIENCE, "an answer of each worker")
    parent = site.program.pid
    assert writers(scene) == dict.fromkeys([parent, *published.values()], 1)
    for pid in {parent, *published.values()}:
        [own] = written_by(pid)
        assert f"-{pid}-" in own
    wait_until(lambda: scene.records.tasks.count() == len(published) + 1, PATIENCE, "all on record")
    sent = dict(scene.records.events.values_list("task_id", "pid"))
    assert sent == {"before-the-fork": parent, **published}
    assert_own_pids(scene, list(sent))
    site.program.stop()
    assert "z4j" not in site.program.output()
    scene.assert_nothing_is_left()


def test_thousands_of_threads_record_every_event_once(scene: Scene) -> None:
    scene.script(MANY_THREADS)
    applied = [f"applied {number}" for number in range(THREADS)]
    published = [f"published {number}" for number in range(0, THREADS, 10)]
    kinds = Counter(scene.records.events.values_list("kind", flat=True))
    assert kinds == {
        "task_sent": len(published),
        "task_started": THREADS,
        "task_succeeded": THREADS,
    }
    assert scene.records.tasks.filter(task_id__in=applied, state="SUCCESS").count() == THREADS
    assert scene.records.tasks.filter(task_id__in=published, state="PENDING").count() == len(
        published
    )
    scene.assert_nothing_is_left()


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_green_threads_that_publish_at_once_do_not_mix_their_messages(
    make_scene: SceneMaker, pool: str
) -> None:
    pytest.importorskip(pool)
    with make_scene("redis") as scene:
        worker = scene.worker("-P", pool, "-c", "50")
        ids = publish_publishers(scene, 40)
        assert_whole(scene, ids)
        for number, task_id in enumerate(ids[:40]):
            child = scene.records.task(f"child {number}")
            assert (child.parent_id, child.result) == (task_id, 15)
        worker.stop()
        scene.assert_nothing_is_left()
