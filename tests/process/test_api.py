"""The API of a real site with real workers: what is asked for happens, and can be followed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.site import Client, Site
from tests.process.harness.tables import PUBLISH, Table
from tests.process.harness.waiting import wait_until
from z4j_django.models import Operation

#: More than are done before the answer.
COUNT = 120
#: A broker, and a database for the records.
COMBINATIONS = [("redis", "postgresql"), ("filesystem", "sqlite")]
#: Nobody listens on this port.
AWAY = "redis://:a-password@127.0.0.1:1/0"


@dataclass(frozen=True)
class Desk:
    """A scene with a worker of two processes, its site, and those who use it."""

    scene: Scene
    site: Site
    operator: Client
    admin: Client

    def publish(self, code: str) -> Any:
        """What a script of the project prints, as JSON."""
        modules = f"from {APP}.retries import double_once_mended\n"
        return json.loads(self.scene.script(PUBLISH + modules + code))

    def started(self, name: str) -> str:
        """A task that runs until its file is there."""
        path = self.scene.folder / name
        task_id = self.scene.publish(f"wait_for_file.delay({str(path)!r})")
        self.operator.wait_for_task(task_id, "STARTED")
        return task_id


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def desk(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Desk]:
    with make_scene(*request.param) as scene:
        site = Site(scene)
        operator = site.sign_up("olga", "z4j operator")
        admin = site.sign_up("ada", "z4j admin")
        scene.worker("-P", "prefork", "-c", "2", "-I", f"{APP}.retries,{APP}.chords")
        yield Desk(scene, site, operator, admin)


def only(operation: dict[str, Any]) -> dict[str, Any]:
    """The one target of an operation, which was done."""
    [target] = operation["targets"]
    assert target["outcome"] == "done", target
    return dict(target)


def test_what_failed_is_found_retried_and_followed_to_its_success(desk: Desk) -> None:
    path = desk.scene.folder / "mended"
    task_id = desk.publish(f"print(json.dumps(double_once_mended.delay(21, {str(path)!r}).id))")
    desk.operator.wait_for_task(task_id, "FAILURE")
    text = "state:FAILURE name:double_* error:FileNotFoundError args.0:21 sent:<1h"
    found = desk.operator.see("tasks", q=text)
    assert [task["task_id"] for task in found["results"]] == [task_id]

    path.touch()
    operation = desk.operator.done("tasks", task_id, "retry")
    assert (operation["state"], operation["actor"], operation["surface"]) == (
        *("finished", "olga"),
        "api",
    )
    again = desk.operator.wait_for_task(only(operation)["result_id"], "SUCCESS")
    assert (again["result"], again["retry_of"], again["operation"]) == (
        *(42, task_id),
        operation["id"],
    )
    assert desk.operator.see("tasks", task_id)["retried_as"] == [again["task_id"]]
    later = {**operation, "published": {"SUCCESS": 1}}
    assert desk.operator.see("operations", operation["id"]) == later
    refused = desk.operator.post("tasks", task_id, "retry")
    assert (refused.status, refused.headers["content-type"]) == (409, "application/problem+json")
    assert again["task_id"] in refused.body["detail"]


def test_a_scraper_is_told_what_the_worker_did(desk: Desk) -> None:
    scraper = Client(desk.site.port, "a-token-that-nobody-guesses", "Bearer")
    ended = f'z4j_tasks_ended_total{{name="fail",queue="{desk.scene.queue}",outcome='
    for task_id in (desk.scene.publish("fail.delay('no')"), desk.scene.publish("fail.delay('no')")):
        desk.operator.wait_for_task(task_id, "FAILURE")

    def told() -> bool:
        answer = scraper.get("/metrics")
        assert answer.status == 200
        return f'{ended}"failed"}} 2\n'.encode() in answer.body

    wait_until(told, 3 * PATIENCE, "the failures as a metric")
    text = scraper.get("/metrics").body.decode()
    assert f'{ended}"succeeded"}} 0\n' in text
    assert f'z4j_worker_up{{worker="{desk.scene.hostname()}"}} 1\n' in text
    assert f'z4j_worker_slots{{worker="{desk.scene.hostname()}"}} 2\n' in text
    assert Client(desk.site.port, "nonsense", "Bearer").get("/metrics").status == 401


def test_a_task_that_waits_is_cancelled(desk: Desk) -> None:
    task_id = desk.scene.publish("add.apply_async((1, 2), countdown=3600)")
    desk.operator.wait_for_task(task_id, "RECEIVED")
    reason = only(desk.operator.done("tasks", task_id, "cancel"))["reason"]
    host = desk.scene.hostname()
    assert reason == f"It was RECEIVED on {host}; {host} confirmed to refuse it."


def test_a_task_that_runs_is_terminated_and_not_cancelled(desk: Desk) -> None:
    task_id = desk.started("never")
    refused = desk.operator.post("tasks", task_id, "cancel")
    assert refused.status == 409
    assert refused.body["detail"].startswith(f"It is STARTED on {desk.scene.hostname()}; cancel")
    operation = desk.operator.done("tasks", task_id, "terminate", signal="SIGKILL")
    host = desk.scene.hostname()
    assert only(operation)["reason"] == f"{host}, which ran it, sent SIGKILL."
    desk.operator.wait_for_task(task_id, "REVOKED")


def test_a_queue_is_purged_and_restored(desk: Desk) -> None:
    queue = f"{desk.scene.queue}.idle"
    ids = desk.publish(
        "print(json.dumps([add.apply_async((n, n), queue="
        f"{queue!r}).id for n in range(5)]))".replace("add.", "tasks.add.")
    )
    for task_id in ids:
        desk.admin.wait_for_task(task_id, "PENDING")
    assert desk.admin.see("queues", queue)["depth"] == 5

    refused = desk.operator.post("queues", queue, "purge", confirm=queue)
    assert refused.status == 403
    assert "purge_queue" in refused.body["detail"]
    assert desk.admin.post("queues", queue, "purge", confirm="another").status == 409
    purged = desk.admin.done("queues", queue, "purge", confirm=queue)
    assert purged["targets"][0]["reason"] == "All 5 messages were saved and removed."
    assert {target["target"] for target in purged["targets"][1:]} == set(ids)
    assert desk.admin.see("queues", queue)["depth"] == 0
    for task_id in ids:
        desk.admin.wait_for_task(task_id, "REVOKED")

    restored = desk.admin.done("queues", queue, "restore", operation=purged["id"])
    assert restored["targets"][0]["reason"] == "All 5 messages were put back."
    assert desk.admin.see("queues", queue)["depth"] == 5
    assert desk.admin.post("queues", queue, "restore", operation=purged["id"]).status == 409
    idle = desk.scene.worker("-P", "solo", "-Q", queue, name="idle")
    for task_id in ids:
        desk.admin.wait_for_task(task_id, "SUCCESS")
    idle.stop()


def test_a_chord_that_failed_runs_to_its_end(desk: Desk) -> None:
    table = Table(desk.scene, desk.scene.environment())
    table.break_all()
    sent = table.publish_chord("chord([seat.s(1), seat.s(2, True), seat.s(3)], listing.s())")
    failed = desk.operator.wait_for_task(sent["members"][1], "FAILURE")
    for member in (sent["members"][0], sent["members"][2]):
        desk.operator.wait_for_task(member, "SUCCESS")
    assert failed["group_id"] == sent["group"]
    table.mend_all()
    operation = desk.operator.done("groups", sent["group"], "retry", members="failed")
    assert (operation["total"], operation["counts"]["done"]) == (3, 3)
    body = desk.operator.wait_for_task(operation["parameters"]["new_body_id"], "SUCCESS")
    assert body["result"] == [1, 2, 3]
    assert table.runs()["seat"] == 1  # the other results stood


def test_many_are_previewed_retried_by_a_worker_and_followed(desk: Desk) -> None:
    path = desk.scene.folder / "there"
    ids = desk.scene.publish_many(
        f"print(json.dumps([tasks.need_file.delay({str(path)!r}).id for n in range({COUNT})]))"
    )
    failed = desk.scene.records.tasks.filter(task_id__in=ids, state="FAILURE")
    wait_until(lambda: failed.count() == COUNT, 2 * PATIENCE, "the failures")
    path.touch()
    seen = desk.operator.post("operations", "preview", filter="state:FAILURE name:need_file")
    assert seen.status == 200
    assert (seen.body["count"], seen.body["capped"]) == (COUNT, False)
    frozen = {name: seen.body[name] for name in ("filter", "until", "asked_at")}
    operation = desk.operator.done("operations", verb="retry", **frozen)
    assert operation["total"] == COUNT
    over = desk.operator.wait_for_end(operation)
    assert (over["state"], over["counts"]["done"]) == ("finished", COUNT)
    told, address = [], f"{over['targets_url']}?limit=100"
    while address:
        page = desk.operator.see(address.partition(str(desk.site.port))[2])
        told += page["results"]
        address = page["next"]
    assert {target["target"] for target in told} == set(ids)
    retried = desk.scene.records.tasks.filter(operation=operation["id"], state="SUCCESS")
    wait_until(lambda: retried.count() == COUNT, 2 * PATIENCE, "the retries")


def test_one_that_is_aborted_leaves_the_rest(desk: Desk) -> None:
    ids = desk.scene.publish_many(
        "print(json.dumps([tasks.fail.delay('no').id for n in range(30)]))"
    )
    failed = desk.scene.records.tasks.filter(task_id__in=ids, state="FAILURE")
    wait_until(lambda: failed.count() == 30, PATIENCE, "the failures")
    operation = desk.operator.done("operations", verb="retry", task_ids=ids, rate=2)
    assert operation["state"] in ("waiting", "running")
    address = ("operations", operation["id"])
    desk.operator.wait_for(lambda body: body["counts"]["done"] > 1, "some retries", *address)
    assert desk.operator.done(*address, "abort")["abort_requested"] is True
    over = desk.operator.wait_for_end(operation)
    assert over["state"] == "aborted"
    assert over["parameters"]["aborted_by"] == "olga"
    assert 0 < over["counts"]["done"] < 30
    assert over["counts"]["done"] + over["counts"]["pending"] == 30
    assert desk.operator.post(*address, "abort").status == 409


def test_who_has_no_token_is_told_so(desk: Desk) -> None:
    for token in ("", "nonsense"):
        nobody = Client(desk.site.port, token)
        for answer in (nobody.get("tasks"), nobody.post("tasks", "a", "retry")):
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Token")
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def ended(make_scene: SceneMaker) -> Iterator[tuple[Scene, dict[str, Any]]]:
    """A scene without a worker any more; the ids of what it ran."""
    with make_scene("redis", "sqlite") as scene:
        table = Table(scene, scene.environment())
        worker = scene.worker("-P", "prefork", "-c", "1", "-I", f"{APP}.chords")
        table.break_all()
        ids = table.publish_chord("chord([seat.s(1), seat.s(2, True)], listing.s())")
        scene.wait_for_state(ids["members"][0], "SUCCESS")
        scene.wait_for_state(ids["members"][1], "FAILURE")
        ids["many"] = scene.publish_many(
            f"print(json.dumps([tasks.fail.delay('no').id for n in range({COUNT})]))"
        )
        wait_until(lambda: not scene.records.unfinished(ids["many"]), PATIENCE, "the failures")
        worker.stop()
        ids["waiting"] = scene.publish("add.delay(1, 2)")
        scene.wait_for_state(ids["waiting"], "PENDING")
        yield scene, ids


def test_what_a_site_without_its_broker_can_not_do_is_told_in_bounded_time(
    ended: tuple[Scene, dict[str, Any]],
) -> None:
    scene, ids = ended
    admin = Site(scene, CELERY_BROKER_URL=AWAY).sign_up("ada", "z4j admin")
    retried = admin.done("tasks", ids["many"][0], "retry")
    assert retried["counts"]["failed"] == 1
    cancelled = admin.done("tasks", ids["waiting"], "cancel")
    assert cancelled["targets"][0]["reason"].startswith("No worker was told:")
    many = admin.done("operations", verb="retry", task_ids=ids["many"])
    assert (many["state"], many["counts"]["failed"]) == ("finished", COUNT)
    before = admin.see("operations")["results"]
    for parts, given in (
        (("queues", scene.queue, "purge"), {"confirm": scene.queue}),
        (("groups", ids["group"], "retry"), {}),
    ):
        answer = admin.post(*parts, **given)
        assert (answer.status, answer.body["type"]) == (409, "urn:z4j:refused"), answer
        assert "a-password" not in answer.body["detail"]
    assert admin.see("operations")["results"] == before
    assert len(before) == 3
    assert admin.see("queues", scene.queue)["known"] is False
    assert admin.see("tasks", q="state:FAILURE")["results"]
    told = json.dumps([retried, cancelled, many])
    assert "a-password" not in told


def test_a_broker_that_never_answers_holds_nobody_up(ended: tuple[Scene, dict[str, Any]]) -> None:
    scene, ids = ended
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and is mute
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        admin = Site(scene, CELERY_BROKER_URL=url).sign_up("adele", "z4j admin")
        retried = admin.done("tasks", ids["members"][0], "retry", force=True)
        assert retried["counts"]["failed"] + retried["counts"]["unknown"] == 1
        answer = admin.post("queues", scene.queue, "purge", confirm=scene.queue)
        assert (answer.status, answer.body["status"]) == (409, 409)
        assert admin.see("queues", scene.queue)["known"] is False


def test_where_no_worker_answers_it_is_unknown(ended: tuple[Scene, dict[str, Any]]) -> None:
    scene, ids = ended
    admin = Site(scene).sign_up("agnes", "z4j admin")
    operation = admin.done("tasks", ids["waiting"], "cancel")
    assert operation["counts"]["unknown"] == 1
    assert operation["targets"][0]["reason"].startswith("No worker answered within")
    made = Operation.objects.using(scene.records.alias).get(pk=operation["id"])
    assert (made.unknown, made.failed, made.surface) == (1, 0, "api")
