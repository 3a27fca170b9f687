"""What changed since somebody last asked, so that a poller need not read everything again.

The timeline is numbered as it is stored, but transactions end in another order than they took
their numbers: a number that is missing may come later. So a token holds, beside the newest number,
the gaps below it, each with the moment at which it was first seen. What comes to lie in a gap is
told when it does. After ``SETTLED`` a gap is taken for final: its transaction was rolled back, or
its rows are gone.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from django.db import connections
from django.utils import timezone

from z4j_django.models import TaskEvent

#: Seconds that a transaction may take from its first number to its end.
SETTLED: Final = 15
#: Events that one answer tells of, and events in gaps besides.
EVENTS_LIMIT: Final = 1_000
#: Newest numbers among which the first token looks for gaps: more than a few shippers store at
#: once.
WINDOW: Final = 10_000
#: Gaps in a token; where there are more, neighbours are taken together, and what lies between
#: them is told again.
GAPS_LIMIT: Final = 16

_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Numbers that were missing.

    Attributes:
        first: The first of them.
        last: The last.
        seen: When they were first seen to be missing, in seconds since the epoch.
    """

    first: _Number
    last: _Number
    seen: _Number


class Token(msgspec.Struct, frozen=True, array_like=True):
    """How far a poller has been told.

    Attributes:
        newest: The greatest number of which it was told.
        gaps: Below it, in their order.
    """

    newest: _Number = 0
    gaps: Annotated[tuple[Gap, ...], msgspec.Meta(max_length=GAPS_LIMIT)] = ()

    def text(self) -> str:
        """The same for an address."""
        packed = msgspec.msgpack.encode(self)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def from_text(cls, text: str) -> Token:
        """The token of a text.

        Raises:
            ValueError: If it is none.
        """
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            token = msgspec.msgpack.decode(packed, type=cls)
        except (binascii.Error, msgspec.MsgspecError, ValueError):
            token = None
        if token is None or token.text() != text:
            raise ValueError("This is no token of a list of changes.")
        return token


@dataclass(frozen=True)
class Changes:
    """The tasks of which something was stored.

    Attributes:
        tasks: Their ids by their projects.
        token: For the next call.
        more: There are others; they are told at once to whoever asks with the token.
    """

    tasks: dict[str, set[str]]
    token: Token
    more: bool


#: A number, with the project and the id of its task.
_Row: TypeAlias = tuple[int, str, str]


def start() -> Token:
    """The token of someone who reads everything next; in one query where nothing is under way."""
    statement = (
        "SELECT COUNT(*), MIN(id), MAX(id) FROM {table} "
        "WHERE id > (SELECT MAX(id) FROM {table}) - %s"
    )
    ((count, oldest, newest),) = _fetch(statement, WINDOW)
    if not count:
        return Token()
    if count == newest - oldest + 1:
        return Token(newest)
    steps = (
        "SELECT step, id FROM (SELECT id, LAG(id) OVER (ORDER BY id) AS step FROM {table} "
        "WHERE id > %s AND id <= %s) steps WHERE id > step + 1"
    )
    seen = _seconds(timezone.now())
    found = _fetch(steps, newest - WINDOW, newest)
    gaps = [Gap(before + 1, after - 1, seen) for before, after in sorted(found)]
    return Token(newest, _joined(gaps))


def since(token: Token, now: datetime | None = None) -> Changes:
    """What was stored since ``token`` was given out; and possibly, twice, what was before."""
    seen = _seconds(now or timezone.now())
    rows: list[_Row] = []
    gaps: list[Gap] = []
    for gap in token.gaps:
        late = _rows(gap.first - 1, gap.last, EVENTS_LIMIT - len(rows))
        rows += late
        gaps += _rest(gap, [number for number, _, _ in late], seen, len(rows) == EVENTS_LIMIT)
    new = _rows(token.newest, None, EVENTS_LIMIT + 1)
    more = len(new) > EVENTS_LIMIT
    new = new[:EVENTS_LIMIT]
    numbers = [token.newest, *(number for number, _, _ in new)]
    gaps += _between(numbers, seen)
    tasks: dict[str, set[str]] = {}
    for _, project, task_id in (*rows, *new):
        tasks.setdefault(project, set()).add(task_id)
    return Changes(tasks, Token(numbers[-1], _joined(gaps)), more)


def _rest(gap: Gap, found: Sequence[int], now: int, is_cut: bool) -> list[Gap]:
    """What is still missing of a gap."""
    end = gap.last
    unread: list[Gap] = []
    if is_cut:
        end = found[-1] if found else gap.first - 1
        # It was not looked into, so that its time begins anew.
        unread = [Gap(end + 1, gap.last, now)] if end < gap.last else []
    if now - gap.seen > SETTLED:
        return unread
    return [*_between([gap.first - 1, *found, end + 1], gap.seen), *unread]


def _between(numbers: Sequence[int], seen: int) -> list[Gap]:
    """The gaps between numbers that ascend."""
    return [
        Gap(before + 1, after - 1, seen)
        for before, after in itertools.pairwise(numbers)
        if after > before + 1
    ]


def _joined(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """The same gaps, or so few that cover them, the widest spaces between them kept."""
    if len(gaps) <= GAPS_LIMIT:
        return tuple(gaps)
    spaces = sorted(range(1, len(gaps)), key=lambda place: gaps[place - 1].last - gaps[place].first)
    edges = [0, *sorted(spaces[: GAPS_LIMIT - 1]), len(gaps)]
    return tuple(
        Gap(gaps[begin].first, gaps[end - 1].last, max(gap.seen for gap in gaps[begin:end]))
        for begin, end in itertools.pairwise(edges)
    )


def _rows(above: int, last: int | None, limit: int) -> list[_Row]:
    if limit < 1:
        return []
    found = TaskEvent.objects.filter(pk__gt=above)
    if last is not None:
        found = found.filter(pk__lte=last)
    return list(found.order_by("pk").values_list("pk", "project", "task_id")[:limit])


def _fetch(statement: str, *params: int) -> Iterable[tuple[int, ...]]:
    alias = TaskEvent.objects.db
    connection = connections[alias]
    table = connection.ops.quote_name(TaskEvent._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=table), params)
        return list(cursor.fetchall())


def _seconds(moment: datetime) -> int:
    return math.floor(moment.timestamp())
