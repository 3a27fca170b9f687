"""The samples of a queue, as they are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from z4j_django.models import QueueSample
from z4j_django.queries import queues

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limit", "depths"),
    [(7, [0, 1, 2, 3, 4, 5, 6]), (4, [0, 2, 4, 6]), (3, [0, 3, 6]), (2, [2, 6]), (1, [6])],
)
def test_of_many_samples_every_so_many_th_is_read_the_newest_among_them(
    limit: int, depths: list[int]
) -> None:
    QueueSample.objects.bulk_create(
        QueueSample(project=project, queue=name, at=BEGIN + timedelta(minutes=depth), depth=depth)
        for depth in range(-1, 7)
        for project, name in (("default", "mail"), ("default", "mail2"), ("other", "mail"))
        if depth < 0 or (project, name) == ("default", "mail")
    )
    found = queues.samples("default", "mail", BEGIN, limit)
    assert [one.depth for one in found] == depths


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_a_line_has_a_point_every_ten_minutes_in_whichever_zone(zone: str) -> None:
    QueueSample.objects.bulk_create(
        QueueSample(queue="mail", at=BEGIN + timedelta(minutes=minute), depth=minute)
        for minute in range(58)
    )
    with timezone.override(zone):
        found = queues.lately("default", BEGIN + timedelta(minutes=58))
    assert found["mail"].depths == [0, 10, 20, 30, 40, 50, 57]
