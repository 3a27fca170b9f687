"""The commands that ship and that look at capture, on real workers."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django.agent import inspection

MANAGE = (sys.executable, "-m", "django")
AWAY = "postgresql://nobody:hidden-word@127.0.0.1:1/nothing"


class Doctor:
    """What z4j_doctor says of a project."""

    def __init__(self, scene: Scene, environment: dict[str, str] | None = None) -> None:
        command = (*MANAGE, "z4j_doctor", "--json", "--timeout", "5")
        ended = scene.run(*command, environment=environment)
        assert "Traceback" not in ended.stdout + ended.stderr
        self.code = ended.returncode
        self.output = ended.stdout + ended.stderr
        self.rows = json.loads(ended.stdout)

    def levels(self, step: str) -> list[str]:
        return [row["level"] for row in self.rows if row["step"] == step]

    def what(self, step: str) -> str:
        return " ".join(row["what"] for row in self.rows if row["step"] == step)

    def troubles(self) -> dict[str, str]:
        return {row["step"]: row["level"] for row in self.rows if row["level"] != "ok"}


@pytest.fixture(scope="module")
def healthy(make_scene: SceneMaker) -> Iterator[Scene]:
    with make_scene() as scene:
        scene.worker()
        wait_until(scene.shippers, PATIENCE, "a shipper")
        wait_until(lambda: inspection.look(scene.journal).process, PATIENCE, "its lease")
        wait_until(scene.records.workers.exists, PATIENCE, "the worker on record")
        yield scene


def holder(scene: Scene) -> int | None:
    found = inspection.look(scene.journal).process
    return found.pid if found is not None else None


def ship(scene: Scene, *options: str, **z4j: object) -> Program:
    environment = scene.environment(**z4j)
    return scene.start(*MANAGE, "z4j_ship", *options, name="ship", environment=environment)


def test_the_doctor_finds_a_healthy_project_healthy(healthy: Scene) -> None:
    doctor = Doctor(healthy)
    assert (doctor.troubles(), doctor.code) == ({}, 0)
    assert healthy.hostname() in doctor.what("remote control")
    assert "sent, received and finished on" in doctor.what("probe")
    assert f"shipped by process {healthy.shippers()[0]}." in doctor.what("shipper")


def test_the_doctor_prints_lines_with_their_remedies(healthy: Scene) -> None:
    environment = {**healthy.environment(), "DATABASE_URL": AWAY}
    ended = healthy.run(*MANAGE, "z4j_doctor", "--no-probe", environment=environment)
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("error ")]
    assert lines[at].startswith("error    database        The database can't be used: Operational")
    assert lines[at + 1].strip().startswith("-> Start it, or correct DATABASES.")
    assert "hidden-word" not in ended.stdout + ended.stderr


def test_the_doctor_names_a_database_that_is_away(healthy: Scene) -> None:
    doctor = Doctor(healthy, {**healthy.environment(), "DATABASE_URL": AWAY})
    assert doctor.code == 1
    assert doctor.troubles() == {"database": "error", "lag": "warning", "probe": "warning"}


def test_the_doctor_waits_for_a_silent_database_no_longer_than_it_is_told(healthy: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://x@127.0.0.1:{server.getsockname()[1]}/x"
        doctor = Doctor(healthy, {**healthy.environment(), "DATABASE_URL": url})
    assert "no answer within 5 s" in doctor.what("database")
    assert doctor.code == 1


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_the_doctor_names_a_broker_that_is_away(healthy: Scene, scheme: str) -> None:
    url = f"{scheme}://user:hidden-word@127.0.0.1:1/"
    doctor = Doctor(healthy, {**healthy.environment(), "CELERY_BROKER_URL": url})
    assert doctor.troubles() == {"broker": "error", "probe": "warning"}
    assert f"{scheme}://user@127.0.0.1:1/" in doctor.what("broker")
    assert "hidden-word" not in doctor.output
    assert doctor.code == 1


def test_the_doctor_waits_for_a_silent_broker_no_longer_than_it_is_told(healthy: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}/"
        doctor = Doctor(healthy, {**healthy.environment(), "CELERY_BROKER_URL": url})
    assert doctor.levels("broker") == ["error"]


def test_the_doctor_names_a_journal_that_is_open_to_others(healthy: Scene) -> None:
    healthy.journal.chmod(0o755)
    try:
        doctor = Doctor(healthy)
    finally:
        healthy.journal.chmod(0o700)
    assert doctor.troubles() == {"settings": "error", "probe": "warning"}
    assert "z4j_django.E005" in doctor.what("settings")
    assert doctor.code == 1


def test_the_doctor_names_a_celery_app_that_is_not_there(healthy: Scene) -> None:
    settings = healthy.folder / "elsewhere.py"
    settings.write_text(
        "from tests.process.project.settings import *\nCELERY_APP = 'tests.nothing:app'\n"
    )
    environment = healthy.environment()
    environment["PYTHONPATH"] += f":{healthy.folder}"
    environment["DJANGO_SETTINGS_MODULE"] = "elsewhere"
    doctor = Doctor(healthy, environment)
    assert doctor.troubles() == {"settings": "error", "probe": "warning"}
    assert "there is no module tests.nothing" in doctor.what("settings")
    assert "the Celery app was not found" in doctor.what("probe")


def test_the_doctor_names_a_setting_that_is_wrong(healthy: Scene) -> None:
    doctor = Doctor(healthy, healthy.environment(SHIPER="external"))
    assert "unknown field `SHIPER`" in doctor.what("settings")
    assert doctor.code == 1


def test_the_doctor_says_that_nothing_is_recorded(healthy: Scene) -> None:
    doctor = Doctor(healthy, {**healthy.environment(), "Z4J_DISABLED": "1"})
    assert doctor.troubles() == {"settings": "warning", "probe": "warning"}
    assert doctor.code == 0


def test_the_doctor_finds_tables_that_are_missing(make_scene: SceneMaker) -> None:
    with make_scene(database="unmigrated") as scene:
        doctor = Doctor(scene)
        assert doctor.levels("database") == ["error"]
        assert "0001_initial" in doctor.what("database")
        assert doctor.code == 1


def test_the_doctor_finds_that_no_worker_runs(scene: Scene) -> None:
    doctor = Doctor(scene)
    assert doctor.code == 0
    levels = {step: doctor.levels(step) for step in ("remote control", "shipper", "probe")}
    assert set(map(tuple, levels.values())) == {("warning",)}
    assert "on record as sent; no worker received it" in doctor.what("probe")
    [probe] = re.findall(r"z4j_django\.probe-\S+", doctor.what("probe"))
    scene.wait_for_state(probe, "REVOKED")


def test_the_doctor_finds_that_nobody_ships_where_the_operator_should(scene: Scene) -> None:
    scene.worker(environment=scene.environment(SHIPPER="external"))
    doctor = Doctor(scene, scene.environment(SHIPPER="external"))
    assert doctor.levels("remote control") == ["ok"]
    assert doctor.levels("shipper") == doctor.levels("probe") == ["error"]
    assert "no record of it came" in doctor.what("probe")
    assert doctor.code == 1


def test_the_command_takes_over_from_a_workers_shipper_and_gives_back(scene: Scene) -> None:
    scene.worker()
    [first] = wait_until(scene.shippers, PATIENCE, "a shipper")
    wait_until(lambda: holder(scene) == first, PATIENCE, "its lease")
    command = ship(scene)
    command.wait_for_output(f"Asked the worker's shipper, process {first}, to go.")
    wait_until(lambda: holder(scene) == command.pid, PATIENCE, "the command's lease")
    task_id = scene.publish("add.delay(1, 2)")
    scene.wait_for_state(task_id, "SUCCESS")
    assert scene.shippers() == []
    command.stop()
    wait_until(scene.shippers, PATIENCE, "the worker's next shipper")
    scene.wait_for_state(scene.publish("add.delay(3, 4)"), "SUCCESS")


def test_two_commands_do_not_ship_the_same_journal(scene: Scene) -> None:
    first = ship(scene)
    wait_until(lambda: holder(scene) == first.pid, PATIENCE, "the first's lease")
    second = scene.run(*MANAGE, "z4j_ship")
    assert second.returncode == 1
    assert f"Process {first.pid} ships {scene.journal}" in second.stderr
    assert "Traceback" not in second.stderr
    first.stop()


def test_a_command_told_to_stop_stores_what_is_there_and_ends_well(scene: Scene) -> None:
    worker = scene.worker(environment=scene.environment(SHIPPER="external"))
    command = ship(scene, "--json", SHIPPER="external")
    wait_until(lambda: holder(scene) == command.pid, PATIENCE, "its lease")
    task_id = scene.publish("add.delay(1, 2)")
    worker.wait_for_output(f"Task add[{task_id}] succeeded")
    worker.stop()
    command.stop()
    assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]
    said = [json.loads(line) for line in command.output().splitlines()]
    assert said[-1]["message"] == "Stopped: everything is stored."
    scene.assert_nothing_is_left()


def test_a_drain_stores_what_is_there_while_others_write_on(scene: Scene) -> None:
    scene.worker(environment=scene.environment(SHIPPER="external"))
    task_id = scene.publish("add.delay(1, 2)", scene.environment(SHIPPER="external"))
    ended = scene.run(*MANAGE, "z4j_ship", "--drain")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "INFO Stopped: everything is stored." in ended.stdout
    assert scene.records.state(task_id) is not None
    assert inspection.look(scene.journal).writers > 0


def test_a_drain_without_a_database_says_that_something_is_left(scene: Scene) -> None:
    environment = {**scene.environment(SHIPPER="external"), "DATABASE_URL": AWAY}
    environment["SCENE_RESULTS"] = "disabled://"
    scene.publish("add.delay(1, 2)", environment)
    options = ("--drain", "--timeout", "1")
    ended = scene.run(*MANAGE, "z4j_ship", *options, environment=environment)
    assert ended.returncode == 1
    assert "Stopped: 1 segments wait; the database does not answer" in ended.stdout
    assert "hidden-word" not in ended.stdout + ended.stderr
    assert len(scene.segments()) == 1


def test_the_status_of_a_project_at_work(healthy: Scene) -> None:
    task_id = healthy.publish("add.delay(1, 2)")
    healthy.wait_for_state(task_id, "SUCCESS")
    ended = healthy.run(*MANAGE, "z4j_status", "--json")
    assert ended.returncode == 0
    shown = json.loads(ended.stdout)
    assert shown["journal"]["shipper"] == healthy.shippers()[0]
    assert shown["journal"]["is_process"]
    assert [journal["state"] for journal in shown["journals"]] == ["shipping"]
    assert shown["workers"] == {"online": 1, "silent": 0, "gone": 0, "offline": 0}
    assert (shown["losses"], shown["troubles"]) == ([], [])


def test_the_status_shows_the_local_journal_while_the_database_is_away(healthy: Scene) -> None:
    environment = {**healthy.environment(), "DATABASE_URL": AWAY}
    ended = healthy.run(*MANAGE, "z4j_status", environment=environment)
    assert ended.returncode == 1
    assert f"shipped by  process {healthy.shippers()[0]}, for " in ended.stdout
    assert "unknown without the database" in ended.stdout
    assert "The records can't be read: OperationalError" in ended.stdout
    assert ended.stderr == ""
