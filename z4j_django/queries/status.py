"""How a task stands beyond its state: the second word, which is derived when it is read.

Each is one declaration. From it come a term of the filter (``is:due``), the word that every
surface shows beside the state, and the table in ``docs/reference/filters.md``. The condition is
the database's alone, so that a list can't say one thing and find another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.utils import timezone

from z4j_django import states
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import at_workers, groups, holding, lookups, overtaken
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.values import INTERNAL, duration

#: The condition that tells of tasks that run long, and its number that says how long is long.
RUNNING_LONG: Final = "task_running_long"
LONGER_THAN: Final = "longer_than"

#: Names that our own tasks have, at most.
_NAMES_LIMIT: Final = 20
#: States of tasks that no process has begun.
_WAITING: Final = (states.PENDING, states.RECEIVED, states.RETRY)
#: States of tasks that a worker has.
_TAKEN: Final = (states.RECEIVED, states.STARTED)
#: A task that waits no longer than that may be on its way to a worker.
_ON_ITS_WAY: Final = timedelta(minutes=2)


class Said:
    """What is said of a task: a sentence with places for values, so that it can be translated."""

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return self.template % self.values

    def told_in(self, translate: Callable[[str], str]) -> str:
        """The same, with the sentence as ``translate`` gives it."""
        return translate(self.template) % self.values


@dataclass(frozen=True)
class Status:
    """One of the words.

    Attributes:
        name: What the filter calls it.
        help: Which tasks it is said of.
        condition: What holds of them at a moment, their state aside.
        words: What is said of one of them at that moment; beside it stands what its worker says
            of itself, see ``at_workers.SAYS``.
        states: The states that they may be in; none: any. Along these its index leads.
        likely: Whether a row that is at hand may be one, where its state says nothing: so that a
            page of plain rows costs no query.
        found: Where else indexes have them; ``None``: nowhere.
    """

    name: str
    help: str
    condition: Callable[[datetime], Q]
    words: Callable[[Any, datetime], Said]
    states: tuple[str, ...] = ()
    likely: Callable[[TaskRecord], bool] = lambda task: True
    found: Callable[[QuerySet[TaskRecord]], list[IndexRange]] | None = None

    @property
    def indexed(self) -> bool:
        """Whether an index leads to them."""
        return bool(self.states) or self.found is not None

    def ranges(self, queryset: QuerySet[TaskRecord]) -> list[IndexRange]:
        """Where indexes have them, and maybe others, in the database of ``queryset``."""
        found = self.found(queryset) if self.found is not None else []
        return [*(IndexRange(column="state", value=state) for state in self.states), *found]

    def may_hold(self, task: TaskRecord) -> bool:
        """Whether the database has to be asked about a row."""
        return (not self.states or task.state in self.states) and self.likely(task)

    def holds(self, now: datetime) -> Q:
        """The condition that it is said of a task at ``now``."""
        found = self.condition(now)
        return Q(state__in=self.states) & found if self.states else found


def _until(moment: datetime | None, now: datetime) -> str:
    return duration((moment - now).total_seconds()) if moment else ""


def _long(now: datetime) -> Q:
    """How long is long for each name, is what was found out last, where any runs long.

    Past its time limit any task is.
    """
    held = holding.of_kind(RUNNING_LONG).values_list("project", "subject", "numbers")
    longer = [
        Q(project=project, name=name, started_at__lte=now - timedelta(seconds=numbers[LONGER_THAN]))
        for project, name, numbers in held
        if LONGER_THAN in numbers
    ]
    past = at_workers.past_time_limit(now)
    return past | reduce(or_, longer) & at_workers.runs(now) if longer else past


def _long_words(task: Any, now: datetime) -> Said:
    limit = task.time_limit
    if limit is None or now - task.started_at <= timedelta(seconds=limit) + at_workers.ENDING:
        return Said("running long")
    return Said("running long, past its time limit of %(time)s", time=duration(limit))


def _silence(task: Any, now: datetime) -> Said:
    if (seen := task.worker_last_seen) is None:
        return Said("worker silent: nothing from %(worker)s", worker=task.worker)
    time = _since(seen, now)
    return Said(
        "worker silent: nothing from %(worker)s for %(time)s", worker=task.worker, time=time
    )


def _loss(task: Any, now: datetime) -> Said:
    if task.worker_online:
        time, worker = _since(task.worker_started_at, now), task.worker
        return Said(
            "possibly lost: %(worker)s was started anew %(time)s ago", worker=worker, time=time
        )
    time = _since(task.worker_stopped_at, now)
    return Said("possibly lost: %(worker)s stopped %(time)s ago", worker=task.worker, time=time)


def _since(moment: datetime, now: datetime) -> str:
    return duration((now - moment).total_seconds())


#: One that failed of the members of a group. As a value, as in ``at_workers.silent``: of what
#: merely exists MariaDB collects all, too.
_FAILED_MEMBER: Final = Subquery(
    TaskRecord.objects.exclude(group_id="")
    .filter(
        project=OuterRef("project"),
        group_id=OuterRef("group_id"),
        state__in=groups.FAILED,
    )
    .values("id")[:1]
)
#: Whether a task is the body of a chord of which something failed.
_HEADER_FAILED: Final = Exists(
    GroupRecord.objects.annotate(failed_member=_FAILED_MEMBER).filter(
        failed_member__isnull=False, project=OuterRef("project"), body_id=OuterRef("task_id")
    )
)
_NEVER: Final = "never sent: a member of its chord's header failed"
_LATER_ONES: Final = "not taken: sent %(time)s ago, later ones were taken"
_NOT_YET: Final = "not sent yet, or never will be"


def _untaken(now: datetime) -> Q:
    long_ago = now - _ON_ITS_WAY
    is_time = (Q(eta=None) | Q(eta__lt=long_ago)) & (Q(expires=None) | Q(expires__gt=now))
    waits = Q(sent_at__lt=long_ago, received_at=None) & ~Q(queue="") & is_time
    return waits & overtaken.condition()


def _begins(column: str) -> Q:
    # Both columns are compared byte by byte, whatever the database.
    after = INTERNAL + lookups.LAST_CHARACTER
    return Q(**{f"{column}__gte": INTERNAL, f"{column}__lt": after})


#: The condition that a task is one of our own.
_IS_INTERNAL: Final = _begins("name") | _begins("task_id")


def _internal(queryset: QuerySet[TaskRecord]) -> list[IndexRange]:
    names = lookups.distinct_values(queryset, "name", _NAMES_LIMIT, INTERNAL)
    by_id = Q(project__in=lookups.projects(queryset)) & _begins("task_id")
    by_name = [IndexRange(column="name", value=name) for name in names]
    return [*by_name, IndexRange(by_id, is_few=True)]


_STATUSES: Final = (
    Status(
        "due",
        "waits for its ETA",
        lambda now: Q(eta__gt=now, retries=0),
        lambda task, now: Said("due in %(time)s", time=_until(task.eta, now)),
        (states.PENDING, states.RECEIVED),
    ),
    Status(
        "retrying",
        "waits for the moment of its retry",
        lambda now: Q(eta__gt=now, retries__gt=0),
        lambda task, now: Said("retry due in %(time)s", time=_until(task.eta, now)),
        (states.RETRY, states.RECEIVED),
    ),
    Status(
        "expired",
        "was not begun before it expired",
        lambda now: Q(expires__lte=now),
        lambda task, now: Said("expired"),
        _WAITING,
    ),
    Status(
        "unsent",
        "was not published yet, or never will be, as far as is known: the body of a chord",
        lambda now: Q(sent_at=None, received_at=None),
        lambda task, now: Said(_NEVER) if task.header_failed else Said(_NOT_YET),
        (states.PENDING,),
    ),
    Status(
        "untaken",
        "was sent two minutes ago or more, and no worker took it, but later ones of its queue",
        _untaken,
        lambda task, now: Said(_LATER_ONES, time=_since(task.sent_at, now)),
        (states.PENDING,),
    ),
    Status(
        "silent",
        "is with a worker that has said nothing for two minutes, and no goodbye",
        at_workers.silent,
        _silence,
        _TAKEN,
    ),
    Status(
        "lost",
        "is possibly lost: its worker stopped since it took it, or was started anew",
        lambda now: at_workers.lost(),
        _loss,
        _TAKEN,
    ),
    Status(
        "long",
        "runs for much longer than tasks of its name usually do, or past its time limit",
        _long,
        _long_words,
        (states.STARTED,),
    ),
    Status(
        "redelivered",
        "was delivered to workers more often than it was tried",
        # Of what took another task's place, no one knows how often that one was tried.
        lambda now: Q(deliveries__gt=F("retries") + 1, attempt__lt=2**32),
        lambda task, now: Said("delivered %(count)s times", count=task.deliveries),
        likely=lambda task: task.deliveries > 1,
    ),
    Status(
        "internal",
        "is z4j_django's own, and in no list that does not ask for it",
        lambda now: _IS_INTERNAL,
        lambda task, now: Said("internal"),
        likely=lambda task: task.name.startswith(INTERNAL) or task.task_id.startswith(INTERNAL),
        found=_internal,
    ),
)

#: All of them, by name. A new one is one more entry.
STATUSES: Final[Mapping[str, Status]] = {one.name: one for one in _STATUSES}


#: The condition that a list shows a task without being asked for it.
VISIBLE: Final = ~_IS_INTERNAL


def tell(records: Iterable[TaskRecord], now: datetime | None = None) -> None:
    """Fill in the ``status`` of those records that have none yet, in one query at most.

    Args:
        records: At most a page of them.
        now: The moment of which it is told; by default this one.
    """
    now = now or timezone.now()
    by_key: dict[int, TaskRecord] = {}
    database: str | None = None
    asked: set[str] = set()
    for record in records:
        if record.status is None:
            record.said = ()
            record.status = ""
            if may_hold := {one.name for one in _STATUSES if one.may_hold(record)}:
                by_key[record.pk], database = record, record._state.db
                asked |= may_hold
    if not by_key:
        return
    statuses = [one for one in _STATUSES if one.name in asked]
    rows = TaskRecord.objects.using(database).filter(pk__in=by_key)
    for row in _rows(rows, statuses, now):
        said = [one.words(row, now) for one in statuses if getattr(row, f"is_{one.name}")]
        by_key[row.pk].said = said
        by_key[row.pk].status = ", ".join(map(str, said))


def _rows(
    queryset: QuerySet[TaskRecord], statuses: Iterable[Status], now: datetime
) -> QuerySet[Any]:
    """Those of ``queryset`` of which there is one of the statuses to say, and which."""
    holds = {f"is_{one.name}": one.holds(now) for one in statuses}
    told = {
        name: Case(When(one, then=Value(True)), default=Value(False), output_field=BooleanField())
        for name, one in holds.items()
    }
    found = queryset.filter(reduce(or_, holds.values())).annotate(**told)
    unsent = holds.get("is_unsent", Q(pk__in=[]))
    header_failed = Case(When(unsent, then=_HEADER_FAILED), default=Value(False))
    columns = ("eta", "sent_at", "started_at", "time_limit", "deliveries", "worker")
    return found.only(*columns).annotate(**at_workers.SAYS, header_failed=header_failed)
