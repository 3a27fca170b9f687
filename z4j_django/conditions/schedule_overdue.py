"""Periodic tasks that beat should have sent, and of which nothing is on record.

Of schedules that run once nothing can be foretold.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

from django.db.models import Min
from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import JournalRecord
from z4j_django.options import Seconds, option
from z4j_django.queries import liveness, timetable
from z4j_django.queries.timetable import Entry
from z4j_django.values import duration

#: A journal that was not heard of for so long holds nothing that is still to come.
_HEARD: Final = timedelta(minutes=5)


class ScheduleOverdue(Thresholds, frozen=True, kw_only=True):
    """How late one may be."""

    least: Annotated[Seconds, option("Seconds that every schedule may be late.")] = 60
    most: Annotated[Seconds, option("Seconds that none may be late, however seldom it comes.")] = (
        900
    )
    share: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        option("The share of the time between two of its runs that it may be late."),
    ] = 0.1


def find(scene: Scene, thresholds: ScheduleOverdue) -> Iterator[Finding]:
    """One finding a schedule."""
    late = [
        one
        for one in timetable.entries()
        if _base(scene, one, None) is None or _due(scene, thresholds, one, None) is not None
    ]
    if not late:
        return
    sent = timetable.last_sent(scene.project, [one.name for one in late])
    stored_until = _stored_until(scene)
    for entry in late:
        last = sent.get(entry.name)
        due = _due(scene, thresholds, entry, last)
        if due is not None and due < stored_until:
            known = [at for at in (last, entry.last_run_at) if at is not None]
            yield _finding(scene, entry, due, max(known, default=None))


def _due(
    scene: Scene, thresholds: ScheduleOverdue, entry: Entry, last: datetime | None
) -> datetime | None:
    """When a schedule should have been sent that was not, and is late; else nothing."""
    if entry.expires is not None and entry.expires <= scene.now:
        return None
    base = _base(scene, entry, last)
    due = entry.recurrence.after(base) if base is not None else None
    following = entry.recurrence.after(due) if due is not None else None
    if due is None or following is None:
        return None
    share = (following - due).total_seconds() * thresholds.share
    grace = max(thresholds.least, min(share, thresholds.most))
    return due if scene.now - due > timedelta(seconds=grace) else None


def _base(scene: Scene, entry: Entry, last: datetime | None) -> datetime | None:
    """From when on a schedule owes something; unknown where it and no beat was ever heard of."""
    known = [at for at in (last, entry.last_run_at, entry.since) if at is not None]
    beats = [one.started_at for one in scene.beats if one.started_at is not None]
    return max(known or beats, default=None)


def _stored_until(scene: Scene) -> datetime:
    """Until when all is on record that the hosts which are heard of have written down."""
    heard = JournalRecord.objects.filter(pending__gt=0, seen_at__gt=scene.now - _HEARD)
    oldest: datetime | None = heard.aggregate(oldest=Min("oldest"))["oldest"]
    return oldest or scene.now


def _finding(scene: Scene, entry: Entry, due: datetime, last: datetime | None) -> Finding:
    seconds = scene.seconds(due)
    evidence = (
        f"{short(entry.name)} ({short(entry.task)}, {entry.recurrence}) was due "
        f"{duration(seconds)} ago, and was not sent. "
    )
    if last is None:
        evidence += "No time that it was sent is on record."
    else:
        evidence += f"It was sent last {duration(scene.seconds(last))} ago."
    beats = {liveness.presence(one, scene.now) for one in scene.beats}
    if beats and "online" not in beats:
        evidence += " No beat runs."
    return Finding(entry.name, due, evidence, {"seconds": seconds, "task": entry.task})


CONDITION: Final = Condition(
    key="schedule_overdue",
    title="Schedule overdue",
    about="Beat should have sent a periodic task, and has not.",
    severity="warning",
    subject="schedule",
    remedy="See that one beat runs, with this schedule and with the app: celery -A <the project> "
    "beat. Its log says why it could not send. What was missed can be sent by hand.",
    find=find,
    thresholds=ScheduleOverdue,
    filter=of_subject("schedule"),
)
