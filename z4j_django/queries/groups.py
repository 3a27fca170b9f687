"""Groups and chords with their members."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import lookups, tasks
from z4j_django.queries.index_ranges import IndexRange

#: Members shown of one group, at most.
MEMBERS_LIMIT = 500
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
    named = group
    if group.kind == GroupRecord.Kind.GROUP:
        named = around(group) or group
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
