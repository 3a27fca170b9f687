"""Holds the records against the ledger. Pure: it reads no file and no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from example_project.shop.ledger import History

#: The outcome of a chain's step whose chain broke before it.
NEVER_SENT: Final = "never sent"

_NO_HISTORY: Final = History(name="", starts=0, outcomes=(), retries=0, open=False)
_HEADINGS: Final = ("task", "outcome", "ledger", "records", "differences")


@dataclass(frozen=True)
class Expected:
    """What has to become of a task, by its arguments."""

    task_id: str
    name: str
    outcome: str
    #: How often its body starts, and how often it comes to its own end.
    starts: int
    ends: int


@dataclass(frozen=True)
class ExpectedGroup:
    """A group or chord that was sent."""

    group_id: str
    kind: str
    size: int
    body_id: str = ""
    body_name: str = ""


@dataclass(frozen=True)
class Recorded:
    """A task's record, with its events counted."""

    name: str
    state: str
    retries: int
    starts: int
    #: Succeeded, failed, retried, ignored and rejected.
    ends: int
    revocations: int


@dataclass(frozen=True)
class Difference:
    """One thing in which records, ledger and expectation do not agree."""

    task_id: str
    name: str
    outcome: str
    text: str

    def __str__(self) -> str:
        return f"{self.name or '?'} {self.task_id}: {self.text}"


def compare(
    expected: Mapping[str, Expected],
    ledger: Mapping[str, History],
    records: Mapping[str, Recorded],
) -> list[Difference]:
    """All differences between what was expected, what ran and what is on record.

    Args:
        expected: Every task that was sent or is going to be, by id.
        ledger: What the tasks noted, by task id.
        records: What is on record, by task id.
    """
    differences = [
        Difference(task_id, plan.name, plan.outcome, text)
        for task_id, plan in expected.items()
        for text in _of_task(plan, ledger.get(task_id, _NO_HISTORY), records.get(task_id))
    ]
    for task_id in sorted(set(ledger) - set(expected)):
        text = "is in the ledger, and nobody sent it"
        differences.append(Difference(task_id, ledger[task_id].name, "?", text))
    for task_id in sorted(set(records) - set(expected)):
        text = "is on record, and nobody sent it"
        differences.append(Difference(task_id, records[task_id].name, "?", text))
    return differences


def compare_groups(
    expected: Sequence[ExpectedGroup], recorded: Mapping[str, ExpectedGroup]
) -> list[Difference]:
    """All differences between the groups that were sent and those on record, by id."""
    return [
        Difference(group.group_id, group.kind, "", f"on record: {found}; sent: {group}")
        for group in expected
        if (found := recorded.get(group.group_id)) != group
    ]


def outcome(plan: Expected, history: History) -> str:
    """How a task ended: the ledger's word, or where it has none the expectation's."""
    if history.open or not history.outcomes:
        return plan.outcome
    return history.outcomes[-1]


def tabulate(
    expected: Mapping[str, Expected],
    ledger: Mapping[str, History],
    records: Mapping[str, Recorded],
    differences: Sequence[Difference],
) -> str:
    """A table by task name and outcome.

    ``ledger`` counts the tasks that the ledger agrees on, with its word or its silence.
    ``records`` counts those whose record has the outcome for its state. Tasks that were never
    sent have neither, and are left out unless they differ.
    """
    in_ledger: Counter[tuple[str, str]] = Counter()
    on_record: Counter[tuple[str, str]] = Counter()
    for task_id, plan in expected.items():
        if plan.outcome == NEVER_SENT:
            continue
        key = (plan.name, plan.outcome)
        in_ledger[key] += not any(_of_ledger(plan, ledger.get(task_id, _NO_HISTORY)))
        found = records.get(task_id)
        on_record[key] += found is not None and found.state == plan.outcome
    differing = Counter(
        (difference.name, difference.outcome)
        for difference in {(item.task_id, item.name): item for item in differences}.values()
    )
    rows = [
        (*key, str(in_ledger[key]), str(on_record[key]), str(differing[key]))
        for key in sorted(set(in_ledger) | set(differing))
    ]
    totals = [str(sum(int(row[column]) for row in rows)) for column in (2, 3, 4)]
    return _align([_HEADINGS, *rows, ("total", "", *totals)])


def _of_task(plan: Expected, history: History, record: Recorded | None) -> Iterator[str]:
    yield from _of_ledger(plan, history)
    if record is None:
        if plan.outcome != NEVER_SENT:
            yield "has no record"
        return
    ended = outcome(plan, history)
    state = "PENDING" if ended == NEVER_SENT else ended
    if record.name != plan.name:
        yield f"is named {record.name!r} on record"
    if record.state != state:
        yield f"is {record.state} on record, {state} by the ledger"
    if record.retries != history.retries:
        yield f"has {record.retries} retries on record, {history.retries} in the ledger"
    if record.starts != history.starts:
        yield f"has {record.starts} starts on record, {history.starts} in the ledger"
    # The worker speaks for a run that it killed at its time limit.
    ends = len(history.outcomes) + (history.open and state == "FAILURE")
    if record.ends != ends:
        yield f"has {record.ends} ends on record, {ends} by the ledger"
    if (record.revocations > 0) != (state == "REVOKED"):
        yield f"has {record.revocations} revocations on record and is {state}"


def _of_ledger(plan: Expected, history: History) -> Iterator[str]:
    if history.starts != plan.starts:
        yield f"has {history.starts} starts in the ledger, should have {plan.starts}"
    if len(history.outcomes) != plan.ends:
        yield f"has {len(history.outcomes)} ends in the ledger, should have {plan.ends}"
    if (ended := outcome(plan, history)) != plan.outcome:
        yield f"is {ended} in the ledger, should be {plan.outcome}"


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*left, *right]).rstrip())
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
