"""Sealing kept messages, and secrets of channels, anew, after ``SECRET_KEY`` has changed.

Each table is walked along its key, in windows. Of each row a few bytes tell whether it
needs anything; only those that do are read, a bounded number of bytes at once. So a run may be
left at any time: the next one passes over what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.db import models, router, transaction
from django.db.models.functions import Substr

from z4j_django.exceptions import SealError
from z4j_django.secrets import sealing

#: Rows that are looked at in one go.
WINDOW: Final = 1_000
#: Messages, and bytes of their bodies about, that are read and written in one transaction.
AT_ONCE: Final = 100
BYTES_AT_ONCE: Final = 8 * 1024**2
#: Messages that can't be opened, which are named.
NAMED: Final = 10


@dataclass
class Tally:
    """What a run has done so far, or would do.

    Attributes:
        current: Messages that needed nothing.
        resealed: Messages that were sealed anew.
        lost: Messages that can't be opened. They are left as they are.
        named: The first of those, and why.
    """

    current: int = 0
    resealed: int = 0
    lost: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Messages that were looked at."""
        return self.current + self.resealed + self.lost


@dataclass(frozen=True)
class _Table:
    """Where messages are kept.

    Attributes:
        model: Its name.
        project: The path to the project of a row.
        key: The columns that make the context.
        context: Makes it.
        anew: Seals something anew.
        size: The column that tells how much there is to read, if it may be much.
    """

    model: str
    project: str
    key: Sequence[str]
    context: Callable[..., str]
    anew: Callable[[bytes, str], bytes]
    size: str = "size"


def _message(sealed: bytes, context: str) -> bytes:
    return sealing.seal(sealing.open_sealed(sealed, context), context)


def _secrets(sealed: bytes, context: str) -> bytes:
    return sealing.seal_json(sealing.open_json(sealed, context), context)


_TABLES: Final = (
    _Table("TaskPayload", "project", ("project", "task_id"), sealing.task_context, _message),
    _Table(
        "SavedMessage",
        "operation__project",
        ("operation_id", "position"),
        sealing.saved_context,
        _message,
    ),
    _Table("AlertChannel", "project", ("project", "name"), sealing.channel_context, _secrets, ""),
)


def reseal(project: str, *, dry_run: bool = False) -> Iterator[Tally]:
    """Seal every message of a project that is not under the current key.

    Args:
        project: Whose; another project of the same database has another key.
        dry_run: Only open them.

    Yields:
        The same tally after each batch.
    """
    tally = Tally()
    for table in _TABLES:
        for window in _windows(table):
            mine = [row for row in window if row["mine"] == project]
            old = [row for row in mine if not sealing.is_current(row["head"])]
            tally.current += len(mine) - len(old)
            for part in _parts(old):
                _reseal(table, part, tally, dry_run)
                yield tally
            yield tally


def _windows(table: _Table) -> Iterator[list[dict[str, Any]]]:
    """The beginnings of all messages."""
    head = Substr("sealed", 1, sealing.HEAD, output_field=models.BinaryField())
    size = models.F(table.size) if table.size else models.Value(0)
    rows = _rows(table).annotate(head=head, mine=models.F(table.project), bulk=size).order_by("pk")
    last = 0
    while window := list(rows.filter(pk__gt=last).values("pk", "mine", "bulk", "head")[:WINDOW]):
        yield window
        last = window[-1]["pk"]


def _parts(rows: Sequence[dict[str, Any]]) -> Iterator[list[int]]:
    """The keys of rows that are read together."""
    part: list[int] = []
    size = 0
    for row in rows:
        if part and (len(part) == AT_ONCE or size + row["bulk"] > BYTES_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(row["pk"])
        size += row["bulk"]
    if part:
        yield part


def _reseal(table: _Table, keys: Sequence[int], tally: Tally, dry_run: bool) -> None:
    rows = _rows(table)
    anew: list[tuple[int, bytes]] = []
    for pk, sealed, *key in rows.filter(pk__in=keys).values_list("pk", "sealed", *table.key):
        context = table.context(*key)
        try:
            anew.append((pk, table.anew(sealed, context)))
        except SealError as error:
            tally.lost += 1
            if len(tally.named) < NAMED:
                tally.named.append(f"{context}: {error}")
    if not dry_run:
        with transaction.atomic(using=rows.db):
            for pk, sealed in anew:
                rows.filter(pk=pk).update(sealed=sealed)
    tally.resealed += len(anew)


def _rows(table: _Table) -> models.QuerySet[Any]:
    model = apps.get_model("z4j_django", table.model)
    rows: models.QuerySet[Any] = model._default_manager.using(router.db_for_write(model))
    return rows
