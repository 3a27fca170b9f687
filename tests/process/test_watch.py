"""Conditions that are made to hold by real means, and who tells them."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from django.db.models import F

from tests.process.conftest import SceneMaker
from tests.process.harness import sink
from tests.process.harness.processes import PATIENCE, kill, shippers
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import AlertDelivery, ConditionRecord, Lease, QueueSample, WorkerRecord

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


#: Queues of the worker that dies.
QUEUES = 40


def test_when_a_host_dies_that_looked_after_all_another_does_and_tells_what_is_not_told_yet(
    make_scene: SceneMaker,
) -> None:
    """It dies while it tells of a queue that nobody consumes, and its worker with it."""
    with sink.serving() as hook, make_scene("redis", "postgresql") as scene:
        hook.answers.clear()
        journals = {name: scene.folder / name for name in ("one", "two")}
        alerts = {
            "CHANNELS": {"hook": hook.channel()},
            "RULES": {"all": {"after": 0}},
            "PRIVATE_TARGETS": True,
        }
        given = {"CONDITIONS": LIMITS, "ALERTS": alerts}
        environments = {
            name: scene.environment(JOURNAL_DIR=str(folder), **given)
            for name, folder in journals.items()
        }
        queues = [f"{scene.queue}-{number:02}" for number in range(QUEUES)]
        lost = f"{scene.queue}.lost"
        workers = {}

        def hire(name: str, *options: str) -> None:
            workers[name] = scene.worker(
                "-P", "solo", *options, name=name, environment=environments[name]
            )

        scene.publish(f"add.apply_async((1, 2), queue={lost!r})", environments["one"])
        hire("one", "-Q", ",".join(queues))
        lease = Lease.objects.using(scene.records.alias).filter(name=Lease.WATCH)

        def holder() -> str | None:
            looked = lease.exclude(done_at=None).values_list("holder", flat=True).first()
            pid = int((looked or "0@").partition("@")[0])
            return next((name for name, place in journals.items() if pid in shippers(place)), None)

        wait_until(lambda: holder() == "one", PATIENCE, "a shipper that looks after all")
        hire("two")
        told = wait_until(lambda: hook.lines(), PATIENCE, "a message")
        assert told == [f"firing queue_without_consumer:{lost}"]
        for pid in shippers(journals["one"]):
            kill(pid)
        workers["one"].clean_up()
        sends = "".join(f"tasks.add.apply_async((1, 2), queue={one!r}); " for one in queues)
        scene.script(sends, environments["two"])
        past = timedelta(minutes=5)
        for row in lease.all():  # as it is five minutes later
            lease.update(until=row.until - timedelta(seconds=40), done_at=None)
        deliveries = AlertDelivery.objects.using(scene.records.alias)
        deliveries.update(claimed_at=F("claimed_at") - past)
        dead = WorkerRecord.objects.using(scene.records.alias).filter(
            hostname=scene.hostname("one")
        )
        dead.update(last_seen=F("last_seen") - past)
        hook.answers.set()
        wait_until(lambda: holder() == "two", PATIENCE, "the other, who looks")
        wait_until(lambda: len(hook.bodies) > 1, PATIENCE, "what it tells")
        first, *rest = hook.lines()[1].split()
        assert first == "firing"
        assert rest == [
            f"worker_silent:{scene.hostname('one')}",
            *(f"queue_without_consumer:{one}" for one in queues),
        ]
        sending = deliveries.filter(state="sending")
        wait_until(lambda: not sending.exists(), PATIENCE, "what came of it")
        found = deliveries.order_by("id").values_list("state", "attempts")
        assert list(found) == [("perhaps", 1), ("sent", 1)]
        assert len(hook.bodies) == 2


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
