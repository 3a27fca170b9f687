"""Chords whose members have all ended well, or without a word, and whose body was not sent.

Of a header that failed, Celery never sends the body: nothing is stuck there. A body that is a
group itself has no record, so of it nothing can be told.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery

from z4j_django import states
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.options import Seconds, option
from z4j_django.queries import groups, holding, status
from z4j_django.values import counted, duration

KEY: Final = "chord_stuck"
#: Groups that are looked at: the newest, and some from anywhere before them.
_NEWEST: Final = 1_000
_OLDER: Final = 200
#: Chords that are told of at once.
_TOLD: Final = 50
#: Ends of which the result backend hears nothing: a chord waits for such a member for ever.
_UNHEARD: Final = (states.IGNORED, states.REJECTED)
#: Celery's task that waits for the members where the result backend can't count them, and how
#: many of the newest are looked through.
_UNLOCK: Final = "celery.chord_unlock"
_UNLOCKS: Final = 200

#: Those of its members on record; the index has no others.
_MEMBERS: Final = TaskRecord.objects.exclude(group_id="").filter(
    project=OuterRef("project"), group_id=OuterRef("group_id")
)


class ChordStuck(Thresholds, frozen=True, kw_only=True):
    """Of the time since the last member ended."""

    after: Annotated[Seconds, option("Seconds that Celery has to send the body.")] = 60


@dataclass(frozen=True)
class _Header:
    """How the members of a chord ended."""

    count: int
    unheard: int
    ended_at: datetime


def find(scene: Scene, thresholds: ChordStuck) -> Iterator[Finding]:
    """One finding a chord."""
    before = scene.now - timedelta(seconds=thresholds.after)
    chords = {one.group_id: one for one in _waiting(scene, before)}
    if not chords:
        return
    headers = _headers(scene.project, list(chords))
    stuck = {
        group_id: header
        for group_id, header in headers.items()
        if header.count >= chords[group_id].size and header.ended_at <= before
    }
    unlocks = _unlocks(scene.project, stuck) if stuck else {}
    for group_id, header in stuck.items():
        yield _finding(scene, chords[group_id], header, unlocks.get(group_id))


def _waiting(scene: Scene, before: datetime) -> list[GroupRecord]:
    """Chords with a body that was not sent, of whose members none failed and none is to come."""
    found: list[GroupRecord] = []
    for look in _looks(scene.project):
        rows = GroupRecord.objects.filter(
            look, project=scene.project, kind=GroupRecord.Kind.CHORD, first_seen__lte=before
        )
        found += _without_body(rows, scene.now).order_by("-id")[:_TOLD]
    return found


def _looks(project: str) -> Iterator[Q]:
    """The groups to look at: in a large table, what is older has its turn now and then."""
    by_id = GroupRecord.objects.order_by("-id").values_list("id", flat=True)
    last = next(iter(by_id[_NEWEST : _NEWEST + 1]), None)
    if last is None:
        yield Q()
        return
    yield Q(id__gt=last)
    place = last - int(last ** random.random())  # noqa: S311 - the nearer, the more often
    first = next(iter(by_id.filter(id__lte=place)[_OLDER : _OLDER + 1]), 0)
    yield Q(id__gt=first, id__lte=place)
    # What was found once is looked at for as long as it holds.
    held = [one.subject for one in holding.of_kind(KEY, project)]
    yield Q(group_id__in=held, id__lte=last)


def _without_body(rows: QuerySet[GroupRecord], now: datetime) -> QuerySet[GroupRecord]:
    # Each is asked for as a value: of what merely exists PostgreSQL may first collect all.
    unsent = status.STATUSES["unsent"].holds(now)
    mine = TaskRecord.objects.filter(project=OuterRef("project"))
    in_the_way = Q(state__in=(*states.UNFINISHED, *groups.FAILED))
    retried = mine.exclude(retry_of="").filter(retry_of=OuterRef("body_id"))
    return rows.annotate(
        body=Subquery(mine.filter(unsent, task_id=OuterRef("body_id")).values("id")[:1]),
        member=Subquery(_MEMBERS.filter(in_the_way).values("id")[:1]),
        retry=Subquery(retried.values("id")[:1]),
    ).filter(body__isnull=False, member=None, retry=None)


def _headers(project: str, group_ids: Sequence[str]) -> dict[str, _Header]:
    members = TaskRecord.objects.exclude(group_id="").filter(
        project=project, group_id__in=group_ids
    )
    told = (
        members.order_by()
        .values_list("group_id")
        .annotate(
            count=Count("id"),
            unheard=Count("id", filter=Q(state__in=_UNHEARD)),
            ended_at=Max("finished_at"),
        )
    )
    return {group_id: _Header(*rest) for group_id, *rest in told if rest[-1] is not None}


def _unlocks(project: str, group_ids: Any) -> dict[str, TaskRecord]:
    """The tasks that wait for the members of these chords, where their backend needs one."""
    newest = TaskRecord.objects.filter(name=_UNLOCK, project=project).order_by("-id")
    rows = newest.only("task_id", "args", "state", "retries")[:_UNLOCKS]
    waiting = {str(row.args[0]): row for row in rows if isinstance(row.args, list) and row.args}
    return {group_id: waiting[group_id] for group_id in group_ids if group_id in waiting}


def _finding(
    scene: Scene, chord: GroupRecord, header: _Header, unlock: TaskRecord | None
) -> Finding:
    seconds = scene.seconds(header.ended_at)
    evidence = (
        f"All {counted(header.count, 'member')} of the chord ended, the last one "
        f"{duration(seconds)} ago, and its body {short(chord.body_name)} was not sent."
    )
    if header.unheard:
        evidence += (
            f" {counted(header.unheard, 'member')} ended as IGNORED or REJECTED: of these the "
            "result backend hears nothing, so the chord waits for ever."
        )
    elif unlock is not None:
        evidence += (
            f" {_UNLOCK} {short(unlock.task_id)}, which waits for the members, is "
            f"{unlock.state} after {counted(unlock.retries, 'retry', 'retries')}."
        )
    numbers: dict[str, float | str] = {
        "members": header.count,
        "unheard": header.unheard,
        "seconds": seconds,
        "body_id": chord.body_id,
    }
    return Finding(chord.group_id, header.ended_at, evidence, numbers)


CONDITION: Final = Condition(
    key=KEY,
    title="Chord stuck",
    about="All members of a chord have ended, none of them badly, and its body was not sent.",
    severity="critical",
    subject="group",
    remedy="Look into the log of the worker that ran the last member: the result backend may have "
    "lost a result, or the broker was away. Then run the body alone, by a retry of the group.",
    find=find,
    thresholds=ChordStuck,
    filter=of_subject("group"),
)
