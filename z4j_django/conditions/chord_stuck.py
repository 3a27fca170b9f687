"""Chords whose members have all ended well, or without a word, and whose body was not sent.

Of a header that failed, Celery never sends the body: nothing is stuck there. A body that is a
group or a chord itself has no record, so it goes by the first of its tasks.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from django.db.models import Case, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Value, When

from z4j_django import states
from z4j_django.agent import events
from z4j_django.conditions import chord_counting
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

#: Tasks of a group on record; the index has no others.
_IN_GROUPS: Final = TaskRecord.objects.exclude(group_id="").filter(project=OuterRef("project"))
_MEMBERS: Final = _IN_GROUPS.filter(group_id=OuterRef("group_id"))


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
    headers = _headers(scene.project, chords.values())
    stuck = {
        group_id: header
        for group_id, header in headers.items()
        if header.count >= chords[group_id].size and header.ended_at <= before
    }
    if not stuck:
        return
    told = chord_counting.tell(scene.project, {key: chords[key].size for key in stuck})
    for group_id, header in stuck.items():
        yield _finding(scene, chords[group_id], header, told[group_id])


def _waiting(scene: Scene, before: datetime) -> list[Any]:
    """Chords with a body that was not sent, of whose members none failed and none is to come."""
    found: list[Any] = []
    for look in _looks(scene.project):
        rows = GroupRecord.objects.filter(
            look, project=scene.project, kind=GroupRecord.Kind.CHORD, first_seen__lte=before
        )
        found += _without_body(rows, scene.now).order_by("-id")[:_TOLD]
    retried = _seen_to(scene.project, found)
    return [one for one in found if one.body not in retried]


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
    if held := [one.subject for one in holding.of_kind(KEY, project)]:
        yield Q(group_id__in=held, id__lte=last)


def _without_body(rows: QuerySet[GroupRecord], now: datetime) -> QuerySet[GroupRecord]:
    # Each is asked for as a value: of what merely exists PostgreSQL may first collect all.
    unsent = status.STATUSES["unsent"].holds(now)
    mine = TaskRecord.objects.filter(project=OuterRef("project"))
    in_the_way = Q(state__in=(*states.UNFINISHED, *groups.FAILED))
    retried = mine.exclude(retry_of="").filter(retry_of=OuterRef("body_id"))

    def first_of_body(tasks: QuerySet[TaskRecord]) -> Subquery:
        """The first task of a body that is a group, where that was not sent."""
        told = Case(When(unsent, then=F("task_id")), default=Value(""))
        return Subquery(tasks.order_by("group_index", "id").values(told=told)[:1])

    def in_header(tasks: QuerySet[TaskRecord]) -> Subquery:
        return Subquery(tasks.filter(in_the_way).values("id")[:1])

    def by_body(group: Any, chord: Any, task: Any) -> Case:
        is_group, is_chord = (Q(body_name=name) for name in events.GROUPS)
        return Case(When(is_group, then=group), When(is_chord, then=chord), default=task)

    # As ``groups.membership`` has it: a body that is a group goes by the name of the header.
    found = rows.annotate(
        body=by_body(
            first_of_body(_MEMBERS.filter(chord_id="")),
            first_of_body(_IN_GROUPS.filter(group_id=OuterRef("body_id"))),
            Subquery(mine.filter(unsent, task_id=OuterRef("body_id")).values("task_id")[:1]),
        ),
        member=by_body(in_header(_MEMBERS.exclude(chord_id="")), *[in_header(_MEMBERS)] * 2),
        retry=Subquery(retried.values("id")[:1]),
    )
    return found.filter(body__gt="", member=None, retry=None)


def _seen_to(project: str, chords: Iterable[Any]) -> set[str]:
    """Those tasks of bodies that are groups which an operator ran again."""
    bodies = [one.body for one in chords if one.body_name in events.GROUPS]
    if not bodies:
        return set()
    retried = TaskRecord.objects.exclude(retry_of="").filter(project=project, retry_of__in=bodies)
    return set(retried.values_list("retry_of", flat=True))


def _headers(project: str, chords: Iterable[GroupRecord]) -> dict[str, _Header]:
    ids: dict[bool, list[str]] = {True: [], False: []}
    for one in chords:
        ids[one.body_name == events.GROUP].append(one.group_id)
    is_member = Q(group_id__in=ids[False])
    if ids[True]:
        is_member |= Q(group_id__in=ids[True]) & ~Q(chord_id="")
    members = TaskRecord.objects.exclude(group_id="").filter(is_member, project=project)
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


def _finding(
    scene: Scene, chord: GroupRecord, header: _Header, counting: chord_counting.Told
) -> Finding:
    seconds = scene.seconds(header.ended_at)
    body = short(chord.body_name)
    if body in events.GROUPS:
        body = f"(a {body.removeprefix('celery.')})"
    evidence = (
        f"All {counted(header.count, 'member')} of the chord ended, the last one "
        f"{duration(seconds)} ago, and its body {body} was not sent."
    )
    if header.unheard:
        evidence += (
            f" {counted(header.unheard, 'member')} ended as IGNORED or REJECTED: of these the "
            "result backend hears nothing, so the chord waits for ever."
        )
    else:
        evidence += f" {counting.words}"
    known: dict[str, float | str] = {
        "members": header.count,
        "unheard": header.unheard,
        "seconds": seconds,
        "body_id": chord.body_id,
    }
    return Finding(chord.group_id, header.ended_at, evidence, {**known, **counting.numbers})


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
