"""Conditions that are made to hold by real means, and who tells them."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, kill, shippers
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import ConditionRecord, Lease, QueueSample

LIMITS = {"queue_without_consumer": {"after": 0}, "no_workers": {"after": 0}}


def evidence(scene: Scene, key: str) -> str | None:
    held = ConditionRecord.objects.using(scene.records.alias).filter(key=key, ended_at=None)
    return held.values_list("evidence", flat=True).first()


@pytest.mark.parametrize(
    ("broker", "database"), [("filesystem", "sqlite"), ("redis", "postgresql")]
)
def test_a_light_shipper_tells_of_a_queue_without_a_consumer_and_the_command_of_no_worker(
    make_scene: SceneMaker, broker: str, database: str
) -> None:
    with make_scene(broker, database) as scene:
        environment = scene.environment(CONDITIONS=LIMITS)
        lost = f"{scene.queue}.lost"
        scene.publish(f"add.apply_async((1, 2), queue={lost!r})", environment)
        worker = scene.worker(environment=environment)
        told = wait_until(
            lambda: evidence(scene, "queue_without_consumer"), PATIENCE, "a condition that holds"
        )
        assert told.startswith(f"Nobody takes tasks from the queue {lost}: 1 message waits, ")
        samples = QueueSample.objects.using(scene.records.alias)
        assert samples.filter(queue=scene.queue, depth=0, unknown="").exists()
        lease = Lease.objects.using(scene.records.alias)
        [shipper] = scene.shippers()
        assert lease.get().holder.startswith(f"{shipper}@")

        worker.stop()
        wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shipper")
        for row in lease.all():  # as it is a minute later
            past = timedelta(minutes=2)
            lease.update(until=row.until - past, done_at=row.done_at - past)
        ended = scene.run(sys.executable, "-m", "django", "z4j_attention", environment=environment)
        assert ended.returncode == 2, ended.stderr
        first, second, *_ = ended.stdout.splitlines()
        assert first.startswith("CRITICAL: ")
        assert second.startswith("critical No worker: No worker is online: the last, ")


def test_when_a_host_dies_that_looked_after_all_another_does(make_scene: SceneMaker) -> None:
    with make_scene("redis", "postgresql") as scene:
        journals = {name: scene.folder / name for name in ("one", "two")}
        workers = {
            name: scene.worker(
                "-P", "solo", name=name, environment=scene.environment(JOURNAL_DIR=str(folder))
            )
            for name, folder in journals.items()
        }
        lease = Lease.objects.using(scene.records.alias)

        def holder() -> str | None:
            looked = lease.exclude(done_at=None).values_list("holder", flat=True).first()
            pid = int((looked or "0@").partition("@")[0])
            return next((name for name, place in journals.items() if pid in shippers(place)), None)

        first = wait_until(holder, PATIENCE, "a shipper that looks after all")
        for pid in shippers(journals[first]):
            kill(pid)
        workers[first].clean_up()
        for row in lease.all():  # as it is 40 seconds later
            lease.update(until=row.until - timedelta(seconds=40), done_at=None)
        [other] = journals.keys() - {first}
        wait_until(lambda: holder() == other, PATIENCE, "the other, who looks")


def test_a_host_whose_clock_is_an_hour_ahead_is_told_by_the_databases(
    make_scene: SceneMaker,
) -> None:
    """A process by whose clock it is an hour later, as by its host's, and PostgreSQL's clock."""
    with make_scene("filesystem", "postgresql") as scene:
        scene.script(
            "import time\nclock = time.time\ntime.time = lambda: clock() + 3620\n"
            "from z4j_django.watch.watching import Watch\nWatch('default').run_once(1.0)\n"
        )
        told = evidence(scene, "clocks_apart")
        assert told is not None
        assert " is 1h 00m ahead of that of the database" in told
