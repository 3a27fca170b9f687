"""What an operation will do to each task, as it says itself before it is confirmed.

The operation looks again, at the moment of acting, and has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from z4j_django import states, verbs
from z4j_django.models import OperationTarget, TaskRecord
from z4j_django.operations import tallies, tasks

#: Tasks that are looked at one by one, their messages included; of more it is told in few queries.
_CLOSELY: Final = 1


@dataclass(frozen=True)
class Forecast:
    """What will happen to one task.

    Attributes:
        record: The task.
        words: What will happen, or why it will be refused.
        refused: Whether it will be.
    """

    record: TaskRecord
    words: str
    refused: bool = False


def forecast(
    verb: verbs.Verb, records: Sequence[TaskRecord], options: Mapping[str, Any]
) -> list[Forecast]:
    """What ``verb`` will do to some tasks of one project.

    Args:
        verb: One that acts on tasks.
        records: At most a page of tasks.
        options: The verb's.

    Returns:
        A forecast for each, in their order.

    Raises:
        OperationError: If it would be refused as a whole.
    """
    if not records:
        return []
    if len(records) > _CLOSELY and verb.name in tallies.VERBS:
        project, force = records[0].project, bool(options.get("force"))
        tally = tallies.of_records(verb.name, project, records, force=force)
        return from_tally(verb, records, tally)
    ids = [record.task_id for record in records]
    project = records[0].project
    expected = dict(tasks.preview(verb.name, project, ids, options, surface="admin"))
    found = []
    for record in records:
        outcome = expected[record.task_id]
        refused = outcome.result == OperationTarget.Outcome.REFUSED
        words = outcome.reason if refused else f"{_promise(verb, record)} {outcome.reason}".strip()
        found.append(Forecast(record, words, refused))
    return found


def from_tally(
    verb: verbs.Verb, records: Sequence[TaskRecord], tally: tallies.Tally
) -> list[Forecast]:
    """The same in fewer words, of some of those that a tally has looked at."""
    return [
        Forecast(
            record,
            tally.why(record.task_id) or _promise(verb, record),
            refused=record.task_id in tally.reasons,
        )
        for record in records
    ]


def _promise(verb: verbs.Verb, record: TaskRecord) -> str:
    """What is done to a task that nothing speaks against."""
    if verb is verbs.TERMINATE and record.state != states.STARTED:
        return verbs.CANCEL.promise
    return verb.promise
