"""Holds the records to the ledger, event by event."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.process.chaos.ledger import ENDS, FINISHES, Ledger, Life, Line
from tests.process.harness.records import Records
from z4j_django import counters, states

#: Rows that are fetched at once.
_CHUNK: Final = 5_000
#: Seconds between an event and its line where nothing comes between them.
_INSTANT: Final = 0.01
_STATE_OF: Final = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "retry": states.RETRY,
    "failed": states.FAILURE,
    "succeeded": states.SUCCESS,
    "rejected": states.REJECTED,
}


class Key(NamedTuple):
    """What tells one event from all others, but for a delivery of the same to the same."""

    task_id: str
    retries: int
    kind: str
    pid: int


@dataclass
class Verdict:
    """What a comparison found."""

    events: int = 0
    #: Promised and not on record.
    lost: Counter[Key] = field(default_factory=Counter)
    #: On record, and known to nobody.
    doubled: Counter[Key] = field(default_factory=Counter)
    #: Ends whose process was killed before it could tell of them, and that are not on record.
    untold: int = 0
    #: Events whose process was killed before it could tell the ledger.
    ahead: int = 0
    #: Tasks of which one of these is true.
    uncertain: set[str] = field(default_factory=set)
    #: Records whose state or counters are not what their events or the ledger say.
    wrong: list[str] = field(default_factory=list)
    #: Records whose last event bears an older time than another: the clock was set back.
    misled: list[str] = field(default_factory=list)


def compare_events(ledger: Ledger, records: Records) -> Verdict:
    """Compare the ledger with the timeline, as multisets."""
    known: Counter[Key] = Counter()
    may_be_missing: Counter[Key] = Counter()
    for life in ledger.lives.values():
        known.update(_keys(life))
        if not life.ended and (end := _last_end(life)):
            may_be_missing[_key(life, end)] += 1
    found = Counter(_events(records))
    verdict = Verdict(events=found.total())
    missing = known - found
    untold = missing & may_be_missing
    verdict.lost = missing - may_be_missing
    verdict.doubled = found - known
    ahead = _excuse_those_cut_short(verdict.doubled, ledger.lives.values(), known, missing)
    verdict.untold, verdict.ahead = untold.total(), len(ahead)
    verdict.uncertain = {key.task_id for key in [*untold, *ahead, *verdict.lost]}
    return verdict


def cut_short(ledger: Ledger, full: Iterable[tuple[int, int]]) -> int:
    """Processes that were killed while the disk was full, each perhaps between loss and count."""
    last = [life.lines[-1].true_time for life in ledger.lives.values() if _is_cut(life)]
    return sum(began <= time <= ended for time in last for began, ended in full)


def _is_cut(life: Life) -> bool:
    return bool(life.lines) and not life.ended


def compare_records(ledger: Ledger, records: Records, verdict: Verdict) -> None:
    """Compare each record with its own events, and its state with what happened last."""
    expected = _folded(records)
    newest = _newest_attempts(ledger)
    rows = records.tasks.values_list("task_id", "state", "retries", "pid", "deliveries")
    seen = set()
    for task_id, *row in rows.iterator(_CHUNK):
        seen.add(task_id)
        fold = expected.get(task_id)
        should = [fold.state, fold.retries, fold.pid, fold.deliveries] if fold else None
        if should is None:
            if row != [states.PENDING, 0, None, 0]:  # a chord's body that never was published
                verdict.wrong.append(f"{task_id} is {row} without an event")
        elif row != should:
            verdict.wrong.append(f"{task_id} is {row}, its events say {should}")
        elif task_id in newest and task_id not in verdict.uncertain:
            truth = newest[task_id]
            last = truth.told[-1].line
            if fold.kind not in ("sent", last.kind) and not truth.bears_out(fold):
                told = f"{task_id} is {row[0]} at {fold.at}, and was last: {truth.told}"
                (verdict.wrong if truth.in_order else verdict.misled).append(told)
    verdict.wrong += [f"{task_id} has events and no record" for task_id in expected.keys() - seen]


def compare_statistics(records: Records) -> list[str]:
    """Compare every counter with the timeline: by time, by name and in all.

    The timeline has no queue and no cause: what all queues, and all errors of an hour, have
    together has to be right.
    """
    names = dict(records.tasks.values_list("task_id", "name").iterator(_CHUNK))
    expected: Counter[tuple[int, str, int, str, str]] = Counter()
    rows = records.events.values_list("task_id", "kind", "at")
    for task_id, kind, at in rows.iterator(_CHUNK):
        counter = kind.removeprefix("task_").replace("retry", "retried")
        expected[counters.EVER, counters.NAMES, 0, names[task_id], counter] += 1
        for step in counters.STEPS:
            begin = int(at.timestamp() // step) * step
            expected[step, counters.NAMES, begin, names[task_id], counter] += 1
            expected[step, counters.QUEUES, begin, "", counter] += 1
            expected[step, counters.ALL, begin, "", counter] += 1
            if counter == "failed" and step == counters.HOUR:
                expected[step, counters.ERRORS, begin, "", counter] += 1
    found: Counter[tuple[int, str, int, str, str]] = Counter()
    for row in records.statistics.iterator(_CHUNK):
        name = "" if row.scope == counters.ERRORS else row.name
        for counter in counters.COUNTERS:
            found[row.step, row.scope, row.at, name, counter] += getattr(row, counter)
    places = sorted(expected.keys() | {place for place, count in found.items() if count})
    return [
        f"{place} is counted {found[place]} times, and happened {expected[place]} times"
        for place in places
        if found[place] != expected[place]
    ]


@dataclass
class _Fold:
    order: tuple[int, int, int, int, int]
    kind: str
    pid: int | None
    deliveries: int = 0

    @property
    def state(self) -> str:
        if self.kind == "sent" and self.retries:
            return states.RETRY
        return _STATE_OF[self.kind]

    @property
    def retries(self) -> int:
        return self.order[0]

    @property
    def at(self) -> float:
        return self.order[3] / 1_000_000


def _folded(records: Records) -> dict[str, _Fold]:
    """The rule of the merge once more, from the timeline."""
    rows = records.events.values_list("task_id", "kind", "retries", "pid", "at")
    folds: dict[str, _Fold] = {}
    for task_id, kind, retries, pid, at in rows.iterator(_CHUNK):
        short = kind.removeprefix("task_")
        side = short != "sent"
        time = round(at.timestamp() * 1_000_000)
        state = states.RETRY if not side and retries else _STATE_OF[short]
        ended = side and state in states.FINISHED
        order = (retries, int(side), int(ended), time, states.RANK[state])
        fold = folds.get(task_id)
        if fold is None:
            fold = folds[task_id] = _Fold((-1, 0, 0, 0, 0), short, None)
        if order > fold.order:
            fold.order, fold.kind, fold.pid = order, short, pid if side else None
        fold.deliveries += short == "received"
    return folds


class _Told(NamedTuple):
    """A line, and what its process believed the time to be at its next one."""

    line: Line
    next_wall: float


@dataclass
class _Truth:
    """What workers said of a task's newest attempt, in the order of the clock that nobody sets.

    Where it has ended, what came of another delivery since does not undo that.
    """

    told: list[_Told]

    @property
    def in_order(self) -> bool:
        """Whether the clocks of the processes agree with it."""
        walls = [told.line.wall_time for told in self.told]
        return walls == sorted(walls)

    def bears_out(self, fold: _Fold) -> bool:
        """Whether the end on record may have come after the last one in the ledger.

        A child writes its line before Celery has published the next step of a chain, say, and
        the event after it. Another delivery may end in between.
        """
        return self.told[-1].line.wall_time <= fold.at + _INSTANT and any(
            told.line.kind == fold.kind
            and told.line.wall_time <= fold.at + _INSTANT
            and fold.at <= told.next_wall + _INSTANT
            for told in self.told
        )


def _newest_attempts(ledger: Ledger) -> dict[str, _Truth]:
    attempts: defaultdict[str, list[_Told]] = defaultdict(list)
    for life in ledger.lives.values():
        walls = [line.wall_time for line in life.lines[1:]]
        for line, next_wall in zip(life.lines, [*walls, math.inf], strict=False):
            if line.kind != "sent":
                attempts[line.task_id].append(_Told(line, next_wall))
    newest: dict[str, _Truth] = {}
    for task_id, told in attempts.items():
        retries = max(one.line.retries for one in told)
        told = sorted((one for one in told if one.line.retries == retries), key=_true_time)
        told = [one for one in told if one.line.kind in FINISHES] or told
        newest[task_id] = _Truth(told)
    return newest


def _true_time(told: _Told) -> int:
    return told.line.true_time


def _keys(life: Life) -> Iterator[Key]:
    return (_key(life, line) for line in life.lines)


def _key(life: Life, line: Line) -> Key:
    return Key(line.task_id, line.retries, line.kind, life.pid)


def _last_end(life: Life) -> Line | None:
    """The end of a run after which the process began no other.

    Celery tells of an end after the task's body is left, so the process may have been killed in
    between. A send after the end proves nothing: the next step of a chain leaves before it.
    """
    if life.role != "child":
        return None
    for line in reversed(life.lines):
        if line.kind in ENDS:
            return line
        if line.kind == "started":
            return None
    return None


def _events(records: Records) -> Iterator[Key]:
    rows = records.events.values_list("task_id", "retries", "kind", "pid")
    for task_id, retries, kind, pid in rows.iterator(_CHUNK):
        yield Key(task_id, retries, kind.removeprefix("task_"), pid or 0)


def _excuse_those_cut_short(
    excess: Counter[Key], lives: Iterable[Life], known: Counter[Key], missing: Counter[Key]
) -> list[Key]:
    """Take out what was written right before its process was killed: one event of each.

    The ledger has a send, a delivery and a start after the journal. So a process that was killed
    between the two knows one event more than the ledger; but never a second copy of one that the
    ledger has.
    """
    by_pid: defaultdict[int, list[Key]] = defaultdict(list)
    for key in excess:
        if known[key] == 0:
            by_pid[key.pid].append(key)
    excused: list[Key] = []
    for life in lives:
        if life.ended or life.pid not in by_pid:
            continue
        kinds = _kinds_ahead(life, missing)
        for key in by_pid[life.pid]:
            if key.kind in kinds and excess[key] == 1:
                del excess[key]
                by_pid[life.pid].remove(key)
                excused.append(key)
                break
    return excused


def _kinds_ahead(life: Life, missing: Counter[Key]) -> frozenset[str]:
    """What the process may have been doing when it was killed."""
    if life.role == "main":
        return frozenset({"received", "failed", "sent"})
    if life.role == "publisher":
        return frozenset({"sent"})
    runs = [line for line in life.lines if line.kind != "sent"]
    if not runs:
        return frozenset({"started"})
    in_a_run = runs[-1].kind == "started" or missing[_key(life, runs[-1])]
    return frozenset({"sent"}) if in_a_run else frozenset({"sent", "started"})
