"""Puts the day of a shop on record, and keeps it from growing old while it is looked at."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tools.shop import day
from tools.shop.day import BEFORE, HOUR, MINUTE, PROJECT


def keep_alive(now: datetime | None = None) -> None:
    """Have the workers, the shipper and whoever looks after it be heard of at a moment: now."""
    from django.utils import timezone

    from z4j_django.models import JournalRecord, Lease, WorkerRecord

    now = now or timezone.now()
    WorkerRecord.objects.update(last_seen=now - timedelta(seconds=1), online=True)
    JournalRecord.objects.update(seen_at=now)
    Lease.objects.update_or_create(
        project=PROJECT, name=Lease.WATCH, defaults={"until": now, "done_at": now}
    )


def _samples(end: float, waiting: list[float]) -> None:
    """What waited in each queue, a minute each."""
    from z4j_django.models import QueueSample

    dice = random.Random(5)  # noqa: S311 (no secret)
    rows = []
    for minute in range(24 * 60):
        at = end - minute * MINUTE - 5
        stuck = [sent for sent in waiting if sent < at]
        for queue, (usual, consumers) in day.DEPTHS.items():
            depth = dice.randrange(usual)
            waits = dice.uniform(0, 2)
            if queue == "mail" and stuck:
                depth, waits = len(stuck), at - min(stuck)
            rows.append(
                QueueSample(
                    project=PROJECT,
                    queue=queue,
                    at=datetime.fromtimestamp(at, UTC),
                    depth=depth,
                    consumers=consumers,
                    oldest_at=datetime.fromtimestamp(at - waits, UTC) if depth else None,
                )
            )
    QueueSample.objects.bulk_create(rows, 500)


def _beat(end: float) -> None:
    """The schedules of django-celery-beat, of which one was forgotten by beat."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    def interval(minutes: int) -> IntervalSchedule:
        return IntervalSchedule.objects.get_or_create(every=minutes, period="minutes")[0]

    for name, task, minutes, ago in (
        ("every ten minutes: expire carts", "shop.expire_carts", 10, 4 * MINUTE),
        ("hourly: exchange rates", "shop.refresh_rates", 60, 21 * MINUTE),
        ("nightly report", "reports.nightly_report", 240, 6 * HOUR),
    ):
        made = PeriodicTask.objects.create(name=name, task=task, interval=interval(minutes))
        ran = datetime.fromtimestamp(end - ago, UTC)
        PeriodicTask.objects.filter(pk=made.pk).update(last_run_at=ran, date_changed=ran)


def _operate() -> None:
    """Have the last payments without an answer be retried, and three imports be cancelled."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from z4j_django import operations
    from z4j_django.models import TaskRecord

    admin = User.objects.get(username="admin")
    timed_out = TaskRecord.objects.filter(exception_type="payments.errors.GatewayTimeout")
    mails = TaskRecord.objects.filter(name="mail.send_message", state="PENDING")
    for verb, found in (("retry", timed_out), ("retry", mails)):
        ids = list(found.order_by("-pk").values_list("task_id", flat=True)[:4])
        operations.perform(verb, ids, {}, actor=admin, surface="admin")
    call_command("z4j_ship", drain=True, verbosity=0)


def open_it(end: float) -> None:
    """Put the day on record, and have what is wrong with it be found."""
    from django.utils import timezone

    from z4j_django.conditions import registry
    from z4j_django.models import ErrorGroup, JournalRecord
    from z4j_django.store import statistics
    from z4j_django.store.writer import DatabaseSink
    from z4j_django.watch import rounds

    sink = DatabaseSink()
    shop = day.Shop(end)
    for one in day.batches(shop.day(), end):
        sink.apply([one])
    statistics.compact_all()
    _samples(end, shop.waiting)
    _beat(end)
    JournalRecord.objects.get_or_create(
        host="web1", directory="/var/lib/shop/z4j", defaults={"pid": 31, "seen_at": timezone.now()}
    )
    broken = ErrorGroup.objects.filter(name="media.resize_image").first()
    if broken is not None:  # it was mended, as somebody thought
        broken.resolved_at = broken.last_seen - timedelta(hours=3)
        broken.regressed_at = broken.last_seen - timedelta(minutes=9)
        broken.resolved_in = BEFORE
        broken.save()
    _operate()
    # As it was when the day ended, however long it took to store.
    ended = datetime.fromtimestamp(end, UTC)
    keep_alive(ended)
    list(rounds.evaluate(PROJECT, ended, registry.current(), set()))
    keep_alive()
