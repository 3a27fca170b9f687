"""Groups and chords with their members."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from z4j_django import states
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import lookups, tasks
from z4j_django.queries.index_ranges import IndexRange

#: Members shown of one group, at most.
MEMBERS_LIMIT = 500


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


def members(group: GroupRecord) -> Members:
    """The members of ``group`` on record, in their order."""
    found = TaskRecord.objects.filter(project=group.project, group_id=group.group_id)
    records = list(tasks.summaries(found).order_by("group_index", "id")[: MEMBERS_LIMIT + 1])
    shown = records[:MEMBERS_LIMIT]
    per_state = Counter(record.state for record in shown)
    counts = [(state, per_state[state]) for state in states.ALL if per_state[state]]
    return Members(records=shown, counts=counts, more=len(records) > MEMBERS_LIMIT)


def bodies(page: Sequence[GroupRecord]) -> dict[tuple[str, str], TaskRecord]:
    """The bodies on record of a page of groups, by project and task id; one query a project."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for group in page:
        if group.body_id:
            wanted[group.project].add(group.body_id)
    return {
        (project, task_id): record
        for project, ids in wanted.items()
        for task_id, record in tasks.by_ids(project, ids).items()
    }
