"""Groups and chords with their members."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections
from django.db.models import Q, QuerySet

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import index_ranges, lookups, tasks
from z4j_django.queries.index_ranges import IndexRange

#: Members shown of one group, at most.
MEMBERS_LIMIT = 500
#: Members that are counted for one page of groups, at most.
COUNTED_LIMIT: Final = 10_000
#: Chords whose body is a chord, that are followed.
_DEPTH = 5
#: Ends of a member after which Celery never sends the body of a chord. Of the others that are no
#: success its result backend hears nothing.
FAILED: Final = (states.FAILURE, states.REVOKED)


@dataclass(frozen=True)
class Members:
    """The first members of a group, and how many of them stand in each state."""

    records: list[TaskRecord]
    counts: list[tuple[str, int]]
    #: There are members beyond those in ``records``; ``counts`` leaves them out.
    more: bool


@dataclass(frozen=True)
class Progress:
    """How far a group is.

    Attributes:
        counts: How many of its members on record stand in each state.
        size: How many it has.
        is_whole: Whether all of them are counted; else they are the first ones.
        names: The first and the last name of its members in the alphabet's order: one, for most.
    """

    counts: list[tuple[str, int]]
    size: int
    is_whole: bool
    names: tuple[str, ...] = ()

    @property
    def counted(self) -> int:
        """How many are counted."""
        return sum(count for _, count in self.counts)

    @property
    def done(self) -> int:
        """How many of them have come to an end."""
        return sum(count for state, count in self.counts if state in states.FINISHED)

    @property
    def word(self) -> str:
        """How it stands: one of :data:`WORDS`."""
        found = dict(self.counts)
        if any(found.get(state) for state in (*FAILED, states.REJECTED)):
            return "failed"
        if self.counted and self.done == (self.size if self.is_whole else self.counted):
            return "succeeded"
        is_waiting = set(found) <= {states.PENDING, states.RECEIVED}
        return "waiting" if is_waiting else "running"


#: How a group may stand: something of it ended badly; all is well; nothing has begun; or neither.
WORDS: Final = ("failed", "running", "waiting", "succeeded")


def ranges(queryset: QuerySet[GroupRecord], text: str) -> list[IndexRange]:
    """The groups whose id begins with ``text``, or whose body has it as its id."""
    text = text.strip()
    if not text:
        return [IndexRange()]
    projects = lookups.projects(queryset)
    begins = Q(project__in=projects) & lookups.starts_with(queryset, "group_id", text)
    return [IndexRange(begins), IndexRange(Q(body_id=text))]


def membership(group: GroupRecord) -> Q:
    """The condition that a task is a member of ``group``.

    Celery publishes a chord's body that is a group under the id of the chord's header, with
    places of its own; what tells the two apart is that a header's members feed a body.
    """
    is_group = group.kind == GroupRecord.Kind.GROUP
    return _members_of(group, around(group) if is_group else None)


def _members_of(group: GroupRecord, within: GroupRecord | None) -> Q:
    """The same, where it is known whose body it is."""
    named = within or group
    condition = Q(project=group.project, group_id=named.group_id)
    if named.body_name == events.GROUP:
        condition &= Q(chord_id="") if named is not group else ~Q(chord_id="")
    return condition


def around(group: GroupRecord) -> GroupRecord | None:
    """The chord whose body ``group`` is."""
    found = _beside(group).filter(project=group.project, body_id=group.group_id)
    return found.filter(body_name__in=events.GROUPS).order_by("id").first()


def inner(group: GroupRecord) -> GroupRecord | None:
    """The group or chord that is the body of ``group``, where it is one and on record."""
    if group.body_name not in events.GROUPS or not group.body_id:
        return None
    return _beside(group).filter(project=group.project, group_id=group.body_id).first()


def _beside(group: GroupRecord) -> QuerySet[GroupRecord]:
    """The groups of the database in which ``group`` was read: not of a replica that is behind."""
    return GroupRecord.objects.using(group._state.db)


def members(group: GroupRecord) -> Members:
    """The members of ``group`` on record, in their order."""
    found = TaskRecord.objects.filter(membership(group))
    records = list(tasks.summaries(found).order_by("group_index", "id")[: MEMBERS_LIMIT + 1])
    shown = records[:MEMBERS_LIMIT]
    per_state = Counter(record.state for record in shown)
    counts = [(state, per_state[state]) for state in states.ALL if per_state[state]]
    return Members(records=shown, counts=counts, more=len(records) > MEMBERS_LIMIT)


def progress(page: Sequence[GroupRecord]) -> dict[int, Progress]:
    """How far the groups of a page are, by their keys; of large ones the first members say so."""
    if not page:
        return {}
    within = _around_each(page)
    parts: list[str] = []
    params: list[Any] = []
    limits = _shares(page)
    for group in page:
        condition = _members_of(group, within.get((group.project, group.group_id)))
        mine = TaskRecord.objects.using(group._state.db).filter(condition)
        # By the index, whose order it is.
        found = index_ranges.compiled(
            mine.order_by("group_id", "group_index").values("state", "name")[: limits[group.pk]]
        )
        if found is not None:
            parts.append(
                f"SELECT {group.pk:d}, state, COUNT(*), MIN(name), MAX(name) FROM ({found[0]}) "  # noqa: S608 - compiled by Django
                f"part_{len(parts)} GROUP BY state"
            )
            params += found[1]
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    names: dict[int, set[str]] = defaultdict(set)
    with connections[page[0]._state.db or TaskRecord.objects.db].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        for key, state, count, *some in cursor.fetchall():
            counts[key][state] = count
            names[key].update(filter(None, some))
    return {
        group.pk: _progress(group, counts[group.pk], names[group.pk], limits[group.pk])
        for group in page
    }


def mended(page: Sequence[GroupRecord]) -> set[int]:
    """The keys of those groups of which something failed, where all of that was mended since.

    A chord is mended by a body that was run again and ended well; another group, by retries of
    all its members that failed. Of both, two queries; of more members than are shown it says no.
    """
    fed = {(one.project, one.body_id): one.pk for one in page if one.body_id}
    failed = _failed(one for one in page if not one.body_id)
    wanted = {*fed, *(key for keys in failed.values() for key in keys)}
    if not wanted:
        return set()
    again = TaskRecord.objects.exclude(retry_of="").filter(
        project__in={project for project, _ in wanted},
        retry_of__in={task_id for _, task_id in wanted},
        state=states.SUCCESS,
    )
    well = set(again.values_list("project", "retry_of"))
    found = {key for place, key in fed.items() if place in well}
    return found | {key for key, members in failed.items() if members and members <= well}


def _failed(page: Iterable[GroupRecord]) -> dict[int, set[tuple[str, str]]]:
    """The members that failed of each of some groups, by project and id."""
    groups = {(one.project, one.group_id): one.pk for one in page}
    if not groups:
        return {}
    members = TaskRecord.objects.filter(
        project__in={project for project, _ in groups},
        group_id__in={group_id for _, group_id in groups},
        state__in=(*FAILED, states.REJECTED),
    )
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    rows = list(members.values_list("project", "group_id", "task_id")[: MEMBERS_LIMIT + 1])
    if len(rows) > MEMBERS_LIMIT:
        return {}
    for project, group_id, task_id in rows:
        if (key := groups.get((project, group_id))) is not None:
            found[key].add((project, task_id))
    return found


def _progress(group: GroupRecord, counts: dict[str, int], names: set[str], limit: int) -> Progress:
    ordered = [(state, counts[state]) for state in states.ALL if counts.get(state)]
    counted = sum(counts.values())
    is_whole = counted < limit or counted >= group.size
    ends = (min(names), max(names)) if names else ()
    return Progress(ordered, max(group.size, counted), is_whole, tuple(dict.fromkeys(ends)))


def _shares(page: Sequence[GroupRecord]) -> dict[int, int]:
    """How many members of each group are counted: what small ones do not need, large ones have."""
    found: dict[int, int] = {}
    left, groups_left = COUNTED_LIMIT, len(page)
    for group in sorted(page, key=lambda one: one.size):
        share = left // groups_left
        found[group.pk] = min(max(group.size + 1, 10), share)
        left -= found[group.pk]
        groups_left -= 1
    return found


def _around_each(page: Sequence[GroupRecord]) -> dict[tuple[str, str], GroupRecord]:
    """The chords whose bodies the groups of a page are, by project and the id of the body."""
    ids = {group.group_id for group in page if group.kind == GroupRecord.Kind.GROUP}
    if not ids:
        return {}
    found = _beside(page[0]).filter(body_id__in=ids, body_name__in=events.GROUPS)
    return {(one.project, one.body_id): one for one in found.order_by("-id")}


def bodies(page: Sequence[GroupRecord]) -> dict[tuple[str, str], TaskRecord]:
    """The bodies on record of a page of groups, by project and ``body_id``.

    Of a body that is a chord itself, it is that chord's: the task that takes the results in the
    end. One query a project, and one for each chord that a body is.
    """
    last = {(group.project, group.body_id): group for group in page if group.body_id}
    for _ in range(_DEPTH):
        nested = {key: one for key, one in last.items() if one.body_name in events.GROUPS}
        if not nested:
            break
        found = GroupRecord.objects.filter(
            project__in={project for project, _ in nested},
            group_id__in=[one.body_id for one in nested.values()],
        )
        inside = {(one.project, one.group_id): one for one in found}
        for key, one in nested.items():
            del last[key]
            if (next_one := inside.get((one.project, one.body_id))) is not None:
                last[key] = next_one
    wanted: dict[str, set[str]] = defaultdict(set)
    for (project, _), group in last.items():
        wanted[project].add(group.body_id)
    known = {project: tasks.by_ids(project, ids) for project, ids in wanted.items()}
    return {
        key: known[key[0]][group.body_id]
        for key, group in last.items()
        if group.body_id in known[key[0]]
    }
