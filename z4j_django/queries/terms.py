"""The terms of a filter: which there are, and how each is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from z4j_django.queries import grammar, shapes

#: The name of a free word.
FREE: Final = ""

#: Keys that lead to a value inside an argument, at most.
_DEPTH: Final = 12
_INDEX: Final = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Kind:
    """What a term may be.

    Attributes:
        name: Its name. Those of ``args`` and ``kwargs`` go on with a dot and a path.
        shape: What its values look like: ``state``, ``pattern`` (a text, with ``*`` at its end or
            not), ``text``, ``moment``, ``duration``, ``integer`` or ``json``.
        help: What it finds.
        example: A whole term.
        indexed: Whether there is an index that finds its rows.
        column: The column it is about.
    """

    name: str
    shape: str
    help: str
    example: str
    indexed: bool
    column: str = ""


def _kinds() -> dict[str, Kind]:
    kinds = (
        Kind("state", "state", "tasks in this state", "state:FAILURE", True),
        Kind("name", "pattern", "tasks of this name", "name:shop.*", True),
        Kind("queue", "pattern", "tasks of this queue", "queue:mail", True),
        Kind("worker", "pattern", "tasks that this worker took", "worker:w1@*", True),
        Kind("id", "text", "the task with this id", "id:2f0c6d1e", True, "task_id"),
        Kind("group", "text", "members of this group", "group:8a21", True, "group_id"),
        Kind("root", "text", "this task, and all that came of it", "root:5d7e", True, "root_id"),
        Kind("parent", "text", "what this task published", "parent:5d7e", True, "parent_id"),
        Kind("retry_of", "text", "what an operator made of this task again", "retry_of:2f0c", True),
        Kind(
            "schedule",
            "text",
            "tasks that this periodic task published",
            "schedule:nightly-report",
            True,
        ),
        Kind("project", "text", "tasks of this project", "project:shop", True),
        Kind(
            "error",
            "pattern",
            "tasks whose exception is of this type, with its modules or without",
            "error:TimeoutError",
            True,
            "exception_type",
        ),
        Kind("sent", "moment", "when it was published first", "sent:>2h", True, "sent_at"),
        Kind(
            "received",
            "moment",
            "when a worker took it last",
            "received:<10m",
            False,
            "received_at",
        ),
        Kind("started", "moment", "when it began last", "started:<1h", False, "started_at"),
        Kind(
            "finished",
            "moment",
            "when it ended",
            "finished:2026-11-01..2026-11-02",
            False,
            "finished_at",
        ),
        Kind("runtime", "duration", "how long its newest attempt ran", "runtime:>5s", False),
        Kind("retries", "integer", "how often it was retried", "retries:>=2", False),
        Kind("deliveries", "integer", "how often a worker took it", "deliveries:>1", False),
        Kind("priority", "integer", "its priority", "priority:0..3", False),
        Kind("args", "json", "a positional argument, by its place from 0", "args.0:7", False),
        Kind("kwargs", "json", "a keyword argument, by its name", "kwargs.user_id:42", False),
    )
    return {kind.name: Kind(**{**vars(kind), "column": kind.column or kind.name}) for kind in kinds}


TERMS: Final[Mapping[str, Kind]] = MappingProxyType(_kinds())


@dataclass(frozen=True)
class Term:
    """One condition: any of some values, or none of them.

    Attributes:
        name: Its kind's; ``FREE`` for a free word.
        values: What is looked for.
        negated: Whether that is to be left out.
        path: Where in ``args`` or ``kwargs``: places in lists, and keys.
    """

    name: str
    values: tuple[shapes.Value, ...]
    negated: bool = False
    path: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        sign = "-" if self.negated else ""
        if self.name == FREE:
            (value,) = self.values
            return sign + _free(value)
        name = ".".join((self.name, *map(self._step, range(len(self.path)))))
        return f"{sign}{name}:{','.join(map(str, self.values))}"

    def _step(self, position: int) -> str:
        step = self.path[position]
        if isinstance(step, int):
            return str(step)
        is_number = _INDEX.fullmatch(step) and not (self.name == "kwargs" and position == 0)
        return grammar.quote(step) if is_number else grammar.shown(step, ".:")

    @property
    def kind(self) -> Kind | None:
        """What it may be; ``None`` for a free word."""
        return TERMS.get(self.name)


def read(word: grammar.Word, now: datetime) -> Term:
    """The term that a word is.

    Raises:
        FilterError: If it is none.
    """
    if word.name is None:
        return Term(FREE, (_free_value(word),), word.negated)
    name, *steps = word.name.split(".")
    kind = TERMS.get(str(name)) if not name.is_quoted else None
    if kind is None:
        raise word.wrong(_names(str(name)))
    path = _path(word, kind.name, steps)
    try:
        values = tuple(shapes.read(kind.shape, value, now) for value in word.values)
    except shapes.UnreadableError as error:
        raise word.wrong(str(error)) from None
    return Term(kind.name, values, word.negated, path)


def exactly(name: str, text: str) -> Term:
    """The term that a column has exactly the value ``text``."""
    return Term(name, (shapes.Exact(text),))


def _free_value(word: grammar.Word) -> shapes.Exact:
    text = word.values[0]
    whole = str(text).strip()
    if not whole:
        raise word.wrong("a word")
    last, quoted = text.pieces[-1]
    # It stands for a beginning anyway.
    starred = not quoted and last.endswith("*") and len(whole) > 1
    return shapes.Exact(whole[:-1].strip() if starred else whole)


def _free(value: shapes.Value) -> str:
    text = value.text if isinstance(value, shapes.Exact) else str(value)
    if text.startswith("-") or text.endswith("*"):
        return grammar.quote(text)
    return grammar.shown(text, ":")


def _path(word: grammar.Word, name: str, steps: list[grammar.Text]) -> tuple[int | str, ...]:
    if name not in ("args", "kwargs"):
        if steps:
            raise word.wrong(f"nothing between {name} and the colon")
        return ()
    path = tuple(_step(step) for step in steps)
    if name == "kwargs" and path:
        # The names of arguments are keys, whatever they look like.
        path = (str(steps[0]), *path[1:])
    if name == "args" and not (path and isinstance(path[0], int)):
        raise word.wrong("args. and the place of an argument, from 0, such as args.0")
    if not path or not all(step.pieces for step in steps):
        raise word.wrong(f"{name}. and a name, such as {TERMS[name].example}")
    if len(path) > _DEPTH:
        raise word.wrong(f"at most {_DEPTH} names between dots")
    return path


def _step(step: grammar.Text) -> int | str:
    text = str(step)
    return int(text) if not step.is_quoted and _INDEX.fullmatch(text) else text


def _names(given: str) -> str:
    near = difflib.get_close_matches(given.lower(), TERMS, n=1)
    nearest = f", perhaps {near[0]}" if near else ""
    return (
        f"one of {', '.join(TERMS)} before the colon{nearest}; a free word with a colon goes in "
        "quotes"
    )
