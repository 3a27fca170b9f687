"""Who ships, from the first writer to the last, and what each way to stop a worker leaves.

What a killed shipper and a killed worker leave is in ``test_kills.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, REPOSITORY, Program, children, shippers
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django.agent import events, inspection, journal, shipper_process, shipping
from z4j_django.agent.config import Config

WHOLE = ["sent", "received", "started", "succeeded"]
#: Seconds within which a killed shipper has a successor.
SUCCESSION = 2.0


@pytest.fixture
def scene(make_scene: SceneMaker) -> Iterator[Scene]:
    """Workers stop sooner on Redis than on the file-system broker."""
    with make_scene("redis") as made:
        yield made


class Service:
    """A worker as a supervisor runs it: with the shipper that its setting asks for."""

    def __init__(self, scene: Scene, shipping: str, *options: str, name: str = "w1") -> None:
        self.scene = scene
        self.environment = scene.environment(SHIPPER=shipping)
        options = options or ("-P", "prefork", "-c", "2")
        self.command: Program | None = None
        if shipping == "external":
            self.command = scene.start(
                *(sys.executable, "-m", "django", "z4j_ship"),
                name=f"{name}-ship",
                environment=self.environment,
            )
        self.worker = scene.worker(*options, name=name, environment=self.environment)
        wait_until(self.shipper, PATIENCE, "a shipper that holds the lease")

    def shipper(self) -> int | None:
        """The process that ships."""
        view = inspection.look(self.scene.journal)
        found = view.shipper
        return found.pid if found is not None else None

    def processes(self) -> list[int]:
        """All that its control group would hold."""
        found = [self.worker.pid, *children(self.worker.pid), *self.scene.shippers()]
        return [*dict.fromkeys(found)]

    def stop_command(self) -> None:
        """A supervisor stops the shipper of its own last."""
        if self.command is not None:
            self.command.stop()


def _publish_done(service: Service, count: int = 6) -> list[str]:
    ids = service.scene.publish_many(
        f"print(json.dumps([tasks.add.delay(n, n).id for n in range({count})]))"
    )
    for task_id in ids:
        service.worker.wait_for_output(f"Task add[{task_id}] succeeded")
    return ids


def _start_long(service: Service) -> str:
    """A task that runs until the file ``go`` is there."""
    file = str(service.scene.folder / "go")
    task_id = service.scene.publish(f"wait_for_file.delay({file!r})", service.environment)
    service.scene.wait_for_state(task_id, "STARTED")
    return task_id


def _assert_whole(scene: Scene, ids: list[str]) -> None:
    assert {tuple(scene.records.timeline(task_id)) for task_id in ids} == {tuple(WHOLE)}


@pytest.mark.parametrize("shipping", ["process", "thread"])
def test_after_ctrl_c_everything_is_on_record_and_nothing_is_left(
    scene: Scene, shipping: str
) -> None:
    service = Service(scene, shipping)
    ids = [*_publish_done(service), _start_long(service)]
    os.killpg(service.worker.pid, signal.SIGINT)
    service.worker.wait_for_output("Warm shutdown")
    (scene.folder / "go").touch()
    service.worker.wait()
    service.stop_command()
    _assert_whole(scene, ids)
    assert not scene.records.workers.get().online
    scene.assert_nothing_is_left()


@pytest.mark.parametrize("shipping", ["process", "thread", "external"])
def test_after_a_service_is_stopped_everything_is_on_record_and_nothing_is_left(
    scene: Scene, shipping: str
) -> None:
    """As systemd does it: SIGTERM to every process of the service, the shipper included."""
    service = Service(scene, shipping)
    ids = _publish_done(service)
    running = _start_long(service)
    for pid in service.processes():
        os.kill(pid, signal.SIGTERM)
    service.worker.wait()
    service.stop_command()
    wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shippers")
    _assert_whole(scene, ids)
    # Its process was told to end as well, and did at once.
    lost = scene.records.task(running)
    assert (lost.state, lost.exception_type) == ("FAILURE", "WorkerLostError")
    assert scene.records.timeline(running) == [*WHOLE[:3], "failed"]
    assert not scene.records.workers.get().online
    scene.assert_nothing_is_left()


@pytest.mark.parametrize("shipping", ["process", "external"])
def test_a_stopped_and_killed_container_loses_nothing(scene: Scene, shipping: str) -> None:
    """SIGTERM to the first process; those that are still there after the grace are killed."""
    service = Service(scene, shipping)
    ids = _publish_done(service)
    running = _start_long(service)
    service.worker.terminate()
    service.worker.wait_for_output("Warm shutdown")
    killed = service.processes()
    if service.command is not None:
        killed.append(service.command.pid)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    service.worker.wait()
    if service.command is not None:
        service.command.kill()
    after = Service(scene, shipping, "-P", "solo", name="w2")
    _publish_done(after, 1)
    after.worker.stop()
    after.stop_command()
    _assert_whole(scene, ids)
    assert scene.records.timeline(running) == WHOLE[:3]
    scene.assert_nothing_is_left()


def test_a_worker_that_stops_right_after_its_start_leaves_nothing(scene: Scene) -> None:
    scene.worker("-P", "solo").stop()
    wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shipper")
    assert not scene.records.workers.get().online
    scene.assert_nothing_is_left()


def test_a_threads_lease_goes_to_the_next_worker_within_two_seconds(scene: Scene) -> None:
    first = Service(scene, "thread", "-P", "solo")
    assert first.shipper() == first.worker.pid
    second = scene.worker("-P", "solo", name="w2", environment=first.environment)
    first.worker.kill()
    wait_until(lambda: first.shipper() == second.pid, SUCCESSION, "the next worker's lease")
    task_id = scene.publish("add.delay(1, 2)", first.environment)
    scene.wait_for_state(task_id, "SUCCESS")
    _assert_whole(scene, [task_id])
    assert scene.shippers() == []


def test_each_directory_has_a_shipper_of_its_own(scene: Scene) -> None:
    service = Service(scene, "process", "-P", "solo")
    elsewhere = scene.folder / "elsewhere"
    environment = scene.environment(JOURNAL_DIR=str(elsewhere))
    other = scene.worker("-P", "solo", name="w2", environment=environment)
    wait_until(lambda: inspection.look(elsewhere).process, PATIENCE, "the other's shipper")
    assert inspection.look(elsewhere).process != service.shipper()
    assert scene.records.workers.count() <= 2
    other.stop()
    assert inspection.look(elsewhere).process is None
    assert service.shipper() in children(service.worker.pid)


def test_no_shipper_outlives_the_last_worker(scene: Scene) -> None:
    first = Service(scene, "process", "-P", "solo")
    second = scene.worker("-P", "solo", name="w2")
    ids = _publish_both(scene, first, second)
    for worker in (first.worker, second):
        worker.kill()
    wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shipper")
    # It may have read the second's segment to the end while its writer lived: then it stays.
    scene.run(sys.executable, "-m", "django", "z4j_ship", "--drain")
    _assert_whole(scene, ids)
    scene.assert_nothing_is_left()


def _publish_both(scene: Scene, first: Service, second: Program) -> list[str]:
    ids = scene.publish_many("print(json.dumps([tasks.add.delay(n, n).id for n in range(6)]))")
    both = (first.worker, second)
    for task_id in ids:
        line = f"Task add[{task_id}] succeeded"
        wait_until(
            lambda line=line: any(line in worker.output() for worker in both), PATIENCE, line
        )
    return ids


@pytest.fixture
def watcher(tmp_path: Path) -> shipping.ShipperProcess:
    """What keeps a shipper running in a worker, with one event to ship."""
    _leave_an_event(tmp_path / "journal")
    return shipping.ShipperProcess(_config(tmp_path, "tests.sinks:MemorySink"))


def _config(folder: Path, sink: str) -> Config:
    return Config(
        find_directory=lambda: folder / "journal",
        project="shop",
        sink=sink,
        describe_app=lambda: "none",
        framework="none",
    )


def _leave_an_event(directory: Path) -> None:
    writer = journal.Journal(directory, "shop")
    event = events.TaskEvent(kind=events.TASK_SENT, task_id="a", at=1.0)
    writer.write(events.encode(event))
    writer.close()


def test_a_shipper_told_to_stop_before_it_listens_stores_what_is_there(
    watcher: shipping.ShipperProcess,
) -> None:
    watcher.start()
    watcher.stop(PATIENCE)
    assert journal.segments(watcher.directory) == []


def test_a_worker_whose_shipper_was_told_to_stop_first_has_its_last_events_shipped(
    watcher: shipping.ShipperProcess,
) -> None:
    watcher.start()
    found = wait_until(lambda: inspection.look(watcher.directory).process, PATIENCE, "a shipper")
    os.kill(found.pid, signal.SIGTERM)
    wait_until(lambda: not shippers(watcher.directory), PATIENCE, "its end")
    _leave_an_event(watcher.directory)
    watcher.stop(PATIENCE)
    assert journal.segments(watcher.directory) == []
    assert shippers(watcher.directory) == []


def test_a_shipper_that_needs_the_whole_project_says_so(scene: Scene) -> None:
    environment = {**scene.environment(), "SCENE_ENGINE": "tests.process.project.database"}
    worker = scene.worker("-P", "solo", environment=environment)
    task_id = scene.publish("add.delay(1, 2)", environment)
    scene.wait_for_state(task_id, "SUCCESS")
    worker.wait_for_output(
        "The shipper loads the whole project: the engine of its database, "
        "tests.process.project.database, is not one of Django's own."
    )
    told = scene.run(sys.executable, "-m", "django", "z4j_doctor", environment=environment)
    assert "The shipper loads the whole project: the engine" in told.stdout


def test_where_a_shipper_process_fails_to_start_a_thread_ships(tmp_path: Path, caplog) -> None:
    watcher = shipping.ShipperProcess(_config(tmp_path, "tests.sinks:only_in_this_process"))
    _leave_an_event(watcher.directory)
    watcher.start()
    wait_until(lambda: not journal.segments(watcher.directory), PATIENCE, "an empty journal")
    watcher.stop(PATIENCE)
    ended = [line for line in caplog.messages if "shipper process ended with status 1" in line]
    assert len(ended) >= shipping.FAILURES
    assert "a thread of this worker ships" in caplog.text


def test_a_shipper_starts_though_another_child_has_its_input_open(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    _leave_an_event(directory)
    command = shipper_process.command(directory, "tests.sinks:MemorySink", os.getpid(), 1000)
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, bufsize=0) as child:
        child.stdin.write(b"\n")
        wait_until(lambda: not journal.segments(directory), PATIENCE, "an empty journal")
        child.terminate()
        assert child.wait(PATIENCE) == 0


def test_a_shipper_whose_parent_never_spoke_ends(tmp_path: Path) -> None:
    command = shipper_process.command(tmp_path, "tests.sinks:MemorySink", os.getpid(), 1000)
    ended = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0
    assert list(tmp_path.iterdir()) == []
