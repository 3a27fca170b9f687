"""Tasks that workers have for at least the second time, without having been retried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from z4j_django import broker, handover, states
from z4j_django.agent import events
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import TaskEvent, WorkerRecord
from z4j_django.options import option
from z4j_django.queries import status, unfinished
from z4j_django.values import counted, duration

Cause = Literal["sent twice", "given back", "lost worker", "visibility timeout", "connection lost"]

#: Task types of which it is told at once, and events that are read of each timeline, about.
_TYPES: Final = 20
_EVENTS: Final = 200
#: Seconds that are shorter than what any broker gives a worker: the connection was lost.
_SHORTEST_TIMEOUT: Final = 30.0
#: A goodbye may come a little after the broker has noticed.
_NOTICED: Final = timedelta(seconds=5)
#: Three heartbeats.
_UNHEARD: Final = timedelta(seconds=30)
_KINDS: Final = (events.TASK_SENT, events.TASK_RECEIVED, events.TASK_REJECTED)


class DeliveredNTimes(Thresholds, frozen=True, kw_only=True):
    """Of one message."""

    deliveries: Annotated[
        Annotated[int, Meta(ge=2, le=1000)],
        option("Deliveries of one attempt from which on it is told."),
    ] = 2


@dataclass(frozen=True)
class _Again:
    """Why a message came again, as far as its timeline tells.

    Attributes:
        cause: In two words.
        words: In a sentence.
        seconds: Between the last two deliveries.
    """

    cause: Cause
    words: str
    seconds: float


def find(scene: Scene, thresholds: DeliveredNTimes) -> Iterator[Finding]:
    """One finding a task type: the worst of its tasks that are with a worker now."""
    by_name: dict[str, list[Any]] = defaultdict(list)
    for state in (states.RECEIVED, states.STARTED):
        for task in _delivered_again(scene, state, thresholds.deliveries):
            by_name[task.name].append(task)
    most = sorted(by_name.items(), key=lambda item: -len(item[1]))[:_TYPES]
    worst = {name: max(tasks, key=lambda task: task.deliveries) for name, tasks in most}
    if not worst:
        return
    timelines = _timelines(scene.project, [task.task_id for task in worst.values()])
    workers = {one.hostname: one for one in scene.workers}
    timeout = _visibility_timeout()
    for name, tasks in most:
        task = worst[name]
        again = why(task.retries, timelines[task.task_id], workers, timeout, scene.now)
        yield _finding(scene, tasks, task, again)


def _delivered_again(scene: Scene, state: str, deliveries: int) -> list[Any]:
    again = status.STATUSES["redelivered"].holds(scene.now)
    rows = unfinished.newest(scene.project, state).filter(
        again, status.VISIBLE, deliveries__gte=deliveries
    )
    columns = ("task_id", "name", "deliveries", "retries", "received_at")
    return list(rows.values_list(*columns, named=True)[: unfinished.LOOK])


def _timelines(project: str, task_ids: Sequence[str]) -> Mapping[str, list[TaskEvent]]:
    found: dict[str, list[TaskEvent]] = defaultdict(list)
    mine = TaskEvent.objects.filter(project=project, kind__in=_KINDS, task_id__in=task_ids)
    for event in mine.order_by("at", "id")[: _EVENTS * _TYPES]:
        found[event.task_id].append(event)
    return found


def why(
    retries: int,
    timeline: Sequence[TaskEvent],
    workers: Mapping[str, WorkerRecord],
    timeout: float | None,
    now: datetime,
) -> _Again | None:
    """Why the newest attempt of a task was delivered again.

    Args:
        retries: The number of that attempt.
        timeline: What happened to the task, in its order.
        workers: Those on record, by their names.
        timeout: The broker's visibility timeout in seconds, where it has one that is known.
        now: When it is asked.

    Returns:
        Nothing where the timeline has no two deliveries of it.
    """
    mine = [one for one in timeline if one.retries == retries]
    received = [one for one in mine if one.kind == events.TASK_RECEIVED]
    if len(received) < 2:
        return None
    first, last = received[-2:]
    gap = last.at - first.at
    seconds = gap.total_seconds()
    between = [one.kind for one in mine if first.at <= one.at <= last.at]
    sends = sum(one.kind == events.TASK_SENT for one in mine)
    there, later = short(first.worker), duration(seconds)
    if sends > 1:
        return _Again("sent twice", f"It was sent {sends} times under one id.", seconds)
    if events.TASK_REJECTED in between:
        return _Again("given back", f"{there} rejected it, back to the queue.", seconds)
    worker = workers.get(first.worker)
    if worker is None or _left(worker, first, last, now):
        return _Again("lost worker", f"{there}, which had it {later} before, is gone.", seconds)
    # It is taken a little after it is given out.
    if seconds < (_SHORTEST_TIMEOUT if timeout is None else timeout * 0.9):
        words = f"{there} had it {later} before, and may have lost its connection to the broker."
        return _Again("connection lost", words, seconds)
    what = "its visibility timeout, or the time that it gives a consumer, ran out"
    if timeout is not None:
        what = f"its visibility timeout of {duration(timeout)} ran out"
    words = f"The broker gave it out again {later} later, while {there} still had it: {what}."
    return _Again("visibility timeout", words, seconds)


def _visibility_timeout() -> float | None:
    given = handover.told("broker")
    if given is None:
        from z4j_django import wiring  # which imports Celery, as this process has done

        given = wiring.describe_broker()
    return broker.visibility_timeout(given)


def _left(worker: WorkerRecord, first: TaskEvent, last: TaskEvent, now: datetime) -> bool:
    """Whether a worker that took a task was gone, or another process, when it was taken again."""
    until = last.at + _NOTICED
    stopped = worker.stopped_at is not None and first.at <= worker.stopped_at <= until
    anew = worker.started_at is not None and first.at < worker.started_at <= until
    seen = worker.last_seen
    silent = seen is None or (seen < last.at and now - seen > _UNHEARD)
    return stopped or (anew and worker.pid != first.pid) or silent


def _finding(scene: Scene, tasks: Sequence[Any], task: Any, again: _Again | None) -> Finding:
    name = short(task.name) or "unnamed task"
    which = f"{name} {short(task.task_id)} was delivered {task.deliveries} times"
    evidence = f"Workers have {counted(len(tasks), 'task')} of {name} once more: {which}"
    evidence += f" in its attempt {task.retries + 1}." if task.retries else "."
    numbers: dict[str, float | str] = {
        "tasks": len(tasks),
        "deliveries": task.deliveries,
        "task_id": task.task_id,
    }
    if again is not None:
        evidence += f" {again.words}"
        numbers |= {"cause": again.cause, "seconds_between": again.seconds}
    since = min((one.received_at for one in tasks if one.received_at), default=scene.now)
    return Finding(task.name, since, evidence, numbers)


CONDITION: Final = Condition(
    key="delivered_n_times",
    title="Delivered more than once",
    about="A worker has a task which one had taken before, and that was not retried.",
    severity="warning",
    subject="task type",
    remedy="Where the visibility timeout ran out, make it longer than the longest task and the "
    "longest ETA. Where workers get lost, look for what kills them: memory, a deploy.",
    find=find,
    thresholds=DeliveredNTimes,
    filter=of_subject("name", "is:redelivered", "state:RECEIVED,STARTED"),
)
