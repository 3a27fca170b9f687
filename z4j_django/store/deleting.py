"""Deletes rows in short transactions, which wait for no one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from django.apps import apps
from django.db import OperationalError, connections, router, transaction
from django.db.models import QuerySet

from z4j_django import logs

logger = logs.logger("z4j_django.retention")

T = TypeVar("T")

#: Tries of one transaction: a deadlock, or SQLite's one lock, passes.
TRIES: Final = 3


def rows_of(name: str) -> QuerySet[Any]:
    """A table; found when it is needed, as a shipper imports this before Django is up."""
    rows: QuerySet[Any] = apps.get_model("z4j_django", name)._default_manager.using(alias())
    return rows


def alias() -> str:
    """The database that holds the records."""
    return router.db_for_write(apps.get_model("z4j_django", "TaskRecord"))


def read(rows: QuerySet[Any], columns: Sequence[str], limit: int) -> list[Any]:
    """The first rows by their ids."""
    return list(rows.order_by("pk").values_list(*columns, named=True)[:limit])


@contextmanager
def short_transaction() -> Iterator[None]:
    """A transaction that deletes a few rows."""
    with transaction.atomic(using=alias()):
        if not connections[alias()].features.has_select_for_update:
            # SQLite takes its lock here, and not halfway, where it would not wait for it.
            delete(rows_of("TaskRecord").filter(pk=0))
        yield


def locked(rows: QuerySet[Any]) -> QuerySet[Any]:
    """``rows`` that no one else is writing, locked, where the database locks rows."""
    features = connections[alias()].features
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)


def delete_locked(
    rows: QuerySet[Any],
    key: Sequence[str],
    keep: Callable[[QuerySet[Any]], None] | None = None,
) -> int:
    """Delete those of ``rows`` that no one else is writing; how many went.

    Args:
        rows: They.
        key: In which order they are locked.
        keep: What is done with those that go, before they do.
    """
    with short_transaction():
        keys = list(locked(rows.order_by(*key)).values_list("pk", flat=True))
        going = rows.filter(pk__in=keys)
        if keep is not None:
            keep(going)
        return delete(going)


def delete(rows: QuerySet[Any]) -> int:
    """Delete ``rows``; how many of this very table went."""
    return rows.delete()[1].get(rows.model._meta.label, 0)


def patiently(transact: Callable[..., T], *args: Any) -> T:
    """Do it in a transaction, a few times if need be: a deadlock passes."""
    for attempt in range(1, TRIES):
        try:
            return transact(*args)
        except OperationalError as error:
            logger.debug("Tried %d times: %s", attempt, error)
            time.sleep(0.05 * 2**attempt)
    return transact(*args)


def parts(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The rows, so many at once."""
    for first in range(0, len(rows), size):
        yield rows[first : first + size]
