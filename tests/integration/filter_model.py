"""Filters in plain Python: terms as a person writes them, each with what it means for a record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.integration.filter_records import (
    CAUSES,
    CREW,
    DAY,
    ERRORS,
    KEYS,
    NAMES,
    NOW,
    PROJECTS,
    QUEUES,
    RELEASES,
    SCHEDULES,
    TRACES,
    VALUES,
    WORKERS,
    records,
)
from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries.filter import words
from z4j_django.values import error_id, release_key


@dataclass(frozen=True)
class Said:
    """A term and its meaning."""

    text: str
    holds: Callable[[TaskRecord], bool]
    #: Whether it says which tasks are meant.
    names: bool = False


def is_found(said: list[Said], record: TaskRecord) -> bool:
    """Whether all terms hold, and a task of our own was asked for."""
    is_shown = any(one.names for one in said) or not record.name.startswith("z4j_django.")
    return is_shown and all(one.holds(record) for one in said)


def _is_silent(task: TaskRecord) -> bool:
    worker = CREW.get((task.project, task.worker))
    if task.state not in _BEGUN or worker is None or not worker.online:
        return False
    return worker.last_seen is None or worker.last_seen < NOW - timedelta(minutes=2)


def _is_lost(task: TaskRecord) -> bool:
    worker = CREW.get((task.project, task.worker))
    taken = task.started_at if task.state == "STARTED" else task.received_at
    if task.state not in _BEGUN or worker is None or taken is None:
        return False
    if not worker.online and worker.stopped_at is not None and worker.stopped_at >= taken:
        return True
    known = None not in (task.pid, worker.pid) and task.pid != worker.pid
    return known and worker.started_at is not None and worker.started_at > taken


def _is_untaken(task: TaskRecord) -> bool:
    ago, sent, due = NOW - timedelta(minutes=2), task.sent_at, task.eta or task.sent_at
    is_over = task.expires is not None and task.expires <= NOW
    if task.state != "PENDING" or not task.queue or task.received_at or not sent or is_over:
        return False
    queue = [one for one in records() if one.queue == task.queue]
    return max(sent, due) < ago and any(
        one.received_at and one.project == task.project and one.sent_at > max(sent, due)
        for one in (*queue[-1:], *queue[-17:-16])
    )


_BEGUN = ("RECEIVED", "STARTED")


def terms() -> st.SearchStrategy[Said]:
    """One term, negated or not."""
    plain = st.one_of(
        _states(),
        _statuses(),
        *(
            _patterns(*column)
            for column in (("name", NAMES), ("queue", QUEUES), ("worker", WORKERS))
        ),
        *(_texts(*column) for column in _TEXTS),
        _roots(),
        _errors(),
        _causes(),
        _releases(),
        *(_moments(*column) for column in _MOMENTS),
        *(_numbers(*column) for column in _NUMBERS),
        _documents("args"),
        _documents("kwargs"),
        _words(),
    )
    return st.tuples(st.booleans(), plain).map(
        lambda pair: _negated(pair[1]) if pair[0] else pair[1]
    )


_TEXTS = (
    ("id", "task_id", ("task-3", "task-6", "task-9", "TASK-3", "nobody")),
    ("group", "group_id", ("g1", "g2", "G1", "")),
    ("parent", "parent_id", ("task-3", "nobody", "")),
    ("retry_of", "retry_of", ("task-9", "task-3", "")),
    ("trace", "trace_id", (*TRACES, "4BF92F35", "")),
    ("schedule", "schedule", (*SCHEDULES, "Nightly")),
    ("project", "project", (*PROJECTS, "nobody's")),
)
_MOMENTS = (
    ("sent", "sent_at"),
    ("received", "received_at"),
    ("started", "started_at"),
    ("finished", "finished_at"),
)
_NUMBERS = (
    ("runtime", (("100ms", 0.1), ("0.5s", 0.5), ("1", 1.0), ("5s", 5.0), ("2h", 7200.0))),
    ("retries", (("0", 0), ("1", 1), ("3", 3))),
    ("deliveries", (("0", 0), ("2", 2))),
    ("priority", (("-1", -1), ("0", 0), ("9", 9))),
)


def _negated(said: Said) -> Said:
    return Said(f"-{said.text}", lambda record: not said.holds(record))


def _any_of(name: str, given: list[tuple[str, Callable[[Any], bool]]], get: Any) -> Said:
    text = f"{name}:{','.join(text for text, _ in given)}"
    names = name in ("name", "id", "group", "parent", "retry_of", "trace")
    return Said(text, lambda record: any(test(get(record)) for _, test in given), names)


def _column(name: str) -> Callable[[TaskRecord], Any]:
    return lambda record: getattr(record, name)


def _states() -> st.SearchStrategy[Said]:
    one = st.sampled_from(states.ALL).map(
        lambda state: (state.lower(), lambda value: value == state)
    )
    return st.lists(one, min_size=1, max_size=3).map(
        lambda given: _any_of("state", given, _column("state"))
    )


#: What each status means.
_IS: dict[str, Callable[[TaskRecord], Any]] = {
    "due": lambda one: one.state in _TAKEN and not one.retries and one.eta and one.eta > NOW,
    "retrying": lambda one: (
        one.state in ("RETRY", "RECEIVED") and one.retries and one.eta and one.eta > NOW
    ),
    "expired": lambda one: (
        one.state in (*_TAKEN, "RETRY") and one.expires is not None and one.expires <= NOW
    ),
    "internal": lambda one: one.name.startswith("z4j_django."),
    "unsent": lambda one: one.state == "PENDING" and not one.sent_at and not one.received_at,
    "untaken": _is_untaken,
    "silent": _is_silent,
    "lost": _is_lost,
    "redelivered": lambda one: one.deliveries > one.retries + 1 and one.attempt < 2**32,
}
_TAKEN = ("PENDING", "RECEIVED")


def _statuses() -> st.SearchStrategy[Said]:
    names = st.lists(st.sampled_from(list(_IS)), min_size=1, max_size=2)
    return names.map(
        lambda given: Said(
            f"is:{','.join(given)}",
            lambda record: any(_IS[name](record) for name in given),
            "internal" in given,
        )
    )


def _exact(text: str) -> tuple[str, Callable[[Any], bool]]:
    return words.shown(text, "*"), lambda value: value == text


def _prefix(text: str) -> tuple[str, Callable[[Any], bool]]:
    return words.quote(text) + "*", lambda value: bool(value) and value.startswith(text)


def _patterns(name: str, values: tuple[str, ...]) -> st.SearchStrategy[Said]:
    beginnings = st.sampled_from(values).flatmap(
        lambda value: st.integers(0, len(value)).map(lambda length: _prefix(value[:length]))
    )
    one = st.one_of(st.sampled_from(values).map(_exact), beginnings)
    return st.lists(one, min_size=1, max_size=3).map(
        lambda given: _any_of(name, given, _column(name))
    )


def _texts(name: str, column: str, values: tuple[str, ...]) -> st.SearchStrategy[Said]:
    return st.lists(st.sampled_from(values).map(_exact), min_size=1, max_size=3).map(
        lambda given: _any_of(name, given, _column(column))
    )


def _roots() -> st.SearchStrategy[Said]:
    def said(ids: list[str]) -> Said:
        text = f"root:{','.join(map(words.shown, ids))}"
        return Said(
            text,
            lambda record: record.root_id in ids or (record.task_id in ids and record.task_id),
            names=True,
        )

    return st.lists(st.sampled_from(("task-3", "task-6", "", "nobody")), min_size=1).map(said)


def _errors() -> st.SearchStrategy[Said]:
    def one(kind: str, cut: int, starred: bool) -> tuple[str, Callable[[Any], bool]]:
        text = kind.rpartition(".")[2] if cut else kind
        test = str.startswith if starred else str.__eq__
        return (
            words.quote(text) + "*" * starred,
            lambda value: test(value, text) or test(value.rpartition(".")[2], text),
        )

    return st.builds(one, st.sampled_from((*ERRORS, "timeout")), st.booleans(), st.booleans()).map(
        lambda given: _any_of("error", [given], _column("exception_type"))
    )


def _causes() -> st.SearchStrategy[Said]:
    ids = st.lists(st.sampled_from((*CAUSES, error_id(19))), min_size=1, max_size=3)
    return ids.map(
        lambda given: Said(
            f"error:{','.join(given)}",
            lambda record: record.error in [CAUSES.get(one, 19) for one in given],
        )
    )


def _releases() -> st.SearchStrategy[Said]:
    names = st.lists(st.sampled_from((*RELEASES, "other")), min_size=1, max_size=2)
    return names.map(
        lambda given: _any_of(
            "release",
            [(words.quote(name), _is(release_key(name))) for name in given],
            _column("release"),
        )
    )


def _is(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: value == wanted


def _moments(name: str, column: str) -> st.SearchStrategy[Said]:
    def age(operator: str, minutes: int) -> Said:
        at = NOW - timedelta(minutes=minutes)
        tests: dict[str, Callable[[datetime], bool]] = {
            ">": lambda value: value < at,
            ">=": lambda value: value <= at,
            "<": lambda value: value > at,
            "<=": lambda value: value >= at,
        }
        return known(f"{operator}{minutes}m", tests[operator])

    def ages(youngest: int, more: int) -> Said:
        low, high = NOW - timedelta(minutes=youngest + more), NOW - timedelta(minutes=youngest)
        return known(f"{youngest}m..{youngest + more}m", lambda value: low <= value <= high)

    def days(operator: str, back: int) -> Said:
        begins = DAY - timedelta(days=back)
        over = begins + timedelta(days=1)
        tests: dict[str, Callable[[datetime], bool]] = {
            ">": lambda value: value >= over,
            ">=": lambda value: value >= begins,
            "<": lambda value: value < begins,
            "<=": lambda value: value < over,
            "": lambda value: begins <= value < over,
        }
        return known(f"{operator}{begins:%Y-%m-%d}", tests[operator])

    def since(minutes: int) -> Said:
        at = NOW - timedelta(minutes=minutes)
        return known(f"{at:%Y-%m-%dT%H:%M:%SZ}..", lambda value: value >= at)

    def known(text: str, test: Callable[[datetime], bool]) -> Said:
        return _any_of(
            name, [(text, lambda value: value is not None and test(value))], _column(column)
        )

    minutes = st.integers(0, 45)
    return st.one_of(
        st.builds(age, st.sampled_from((">", ">=", "<", "<=")), minutes),
        st.builds(ages, minutes, minutes),
        st.builds(days, st.sampled_from((">", ">=", "<", "<=", "")), st.integers(0, 1)),
        st.builds(since, minutes),
    )


def _numbers(name: str, values: tuple[tuple[str, Any], ...]) -> st.SearchStrategy[Said]:
    def compared(operator: str, given: tuple[str, Any]) -> Said:
        text, number = given
        tests: dict[str, Callable[[Any], bool]] = {
            ">": lambda value: value > number,
            ">=": lambda value: value >= number,
            "<": lambda value: value < number,
            "<=": lambda value: value <= number,
            "": lambda value: value == number,
        }
        return known(operator + text, tests[operator])

    def between(low: tuple[str, Any], high: tuple[str, Any]) -> Said:
        (low_text, least), (high_text, most) = sorted((low, high), key=lambda one: one[1])
        return known(f"{low_text}..{high_text}", lambda value: least <= value <= most)

    def known(text: str, test: Callable[[Any], bool]) -> Said:
        return _any_of(name, [(text, lambda value: value is not None and test(value))], get)

    get = _runtime if name == "runtime" else _column(name)
    one = st.sampled_from(values)
    operators = st.sampled_from((">", ">=", "<", "<=", ""))
    return st.one_of(st.builds(compared, operators, one), st.builds(between, one, one))


def _runtime(record: TaskRecord) -> float | None:
    end = NOW if record.state == "STARTED" else record.finished_at
    if record.runtime is not None or record.started_at is None or end is None:
        return record.runtime
    return max(0.0, (end - record.started_at).total_seconds())


def _documents(name: str) -> st.SearchStrategy[Said]:
    """Only plain values are found; a number is found however it is written."""
    paths = {
        "args": (("0",), ("1",), ("2", "0"), ("2", '"0"'), ("2", '"é"'), ("2", '"user__contains"')),
        "kwargs": (
            *((words.shown(key, ".:"),) for key in KEYS),
            *(("user_id", step) for step in ("0", '"0"', '"a b"', '"q\\"k"', '""', "é")),
        ),
    }

    def said(path: tuple[str, ...], value: Any, quoted: bool) -> Said:
        text = _written(value)
        found = words.quote(text) if quoted else words.shown(text)
        # What needs quotes is never a number.
        wanted: list[Any] = [text] if quoted else [text, *_read(text)]
        return Said(
            f"{name}.{'.'.join(path)}:{found}",
            lambda record: any(_same(_at(getattr(record, name), path), one) for one in wanted),
        )

    plain = [value for value in VALUES if not isinstance(value, list | dict)]
    return st.builds(said, st.sampled_from(paths[name]), st.sampled_from(plain), st.booleans())


def _written(value: Any) -> str:
    words = (
        {None: "null"} | {True: "true", False: "false"} if isinstance(value, bool | None) else {}
    )
    return words.get(value, str(value))


def _read(text: str) -> list[Any]:
    if text in ("true", "false", "null"):
        return [{"true": True, "false": False, "null": None}[text]]
    if re.fullmatch(r"-?\d+", text):
        return [int(text)]
    return [float(text)] if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) else []


_NOTHING = object()


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        key = step[1:-1].replace('\\"', '"') if step.startswith('"') else step
        if isinstance(document, list) and step.isdigit():
            document = document[int(step)] if int(step) < len(document) else _NOTHING
        elif isinstance(document, dict) and (step is path[0] or not step.isdigit()):
            document = document.get(key, _NOTHING)
        else:
            return _NOTHING
    return document


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return type(found) in (int, float, str, type(None)) and found == wanted


def _words() -> st.SearchStrategy[Said]:
    def said(text: str, upper: bool) -> Said:
        typed = text.upper() if upper else text
        quoted = words.quote(typed)
        return Said(
            quoted,
            lambda record: (
                (record.task_id.startswith(typed) if len(typed) > 3 else record.task_id == typed)
                or f".{record.name}".casefold().find(f".{typed}".casefold()) >= 0
            ),
            names=True,
        )

    return st.builds(
        said,
        st.sampled_from(("shop", "pay", "ship", "task", "task-", "task-3", "cel", "back\\", "🛒")),
        st.booleans(),
    )
