"""Errors on record, with their hours and releases, made without the store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from z4j_django import counters
from z4j_django.models import ErrorGroup, ErrorRelease, Release, Statistic
from z4j_django.values import release_key


def group(key: int = 1, **fields: Any) -> ErrorGroup:
    now = timezone.now()
    return ErrorGroup.objects.create(
        **{
            "fingerprint": key,
            "name": "shop.charge_card",
            "exception_type": "shop.CardDeclined",
            "message": f"card {key} was declined",
            "task_id": "t",
            "count": key,
            "first_seen": now - timedelta(days=9),
            "last_seen": now - timedelta(minutes=key),
            **fields,
        }
    )


def hours(error: ErrorGroup, *counts: int) -> None:
    """So many failures in each of the hours until now, the last one first."""
    last = int(timezone.now().timestamp()) // 3600
    for back, count in enumerate(counts):
        place = {"step": 3600, "scope": counters.ERRORS, "name": error.error_id}
        Statistic.objects.create(at=(last - back) * 3600, failed=count, **place)


def seen_in(error: ErrorGroup, release: str, count: int, **ago: float) -> None:
    at = timezone.now() - timedelta(**ago)
    key = release_key(release) or 0
    times = {"first_seen": at, "last_seen": at}
    ErrorRelease.objects.create(fingerprint=error.fingerprint, release=key, count=count, **times)
    if release:
        Release.objects.get_or_create(key=key, name=release, defaults=times)
