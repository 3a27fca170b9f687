"""Reading where one writes, and writing over what others wrote: what is acted on is not behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from django.db import OperationalError, connections, models, router, transaction

M = TypeVar("M", bound=models.Model)
#: What PostgreSQL, MySQL and MariaDB say where a transaction meets what another has just changed,
#: or the two wait for each other.
_TURNED_DOWN: Final = frozenset({"40001", "40P01", 1020, 1213})
_TRIES: Final = 10


def primary(model: type[M]) -> models.QuerySet[M]:
    """All of ``model``, in the database that it is written to."""
    return model._default_manager.using(router.db_for_write(model))


def reread(instance: models.Model, *fields: str) -> None:
    """Read a row again from there, or some of its fields."""
    instance.refresh_from_db(using=router.db_for_write(type(instance)), fields=fields or None)


def update(rows: models.QuerySet[M], **values: Any) -> int:
    """Update rows by what others have made of them by then, also where the isolation is higher.

    At REPEATABLE READ a statement that has waited for another's is turned down, not carried out.

    Returns:
        How many there were.

    Raises:
        OperationalError: If it is turned down inside a transaction, which can't go on then.
    """
    for _ in range(_TRIES):
        try:
            return rows.update(**values)
        except OperationalError as error:
            in_transaction = connections[router.db_for_write(rows.model)].in_atomic_block
            if in_transaction or not _is_turned_down(error):
                raise
    return rows.update(**values)


@contextlib.contextmanager
def up_to_date(model: type[models.Model], *, durable: bool = False) -> Iterator[None]:
    """A transaction each of whose statements sees what others have committed by then.

    Who has waited for another looks at what that one did. As MySQL and MariaDB have it by default,
    or PostgreSQL where a project says so, one would see what there was before the wait.

    Args:
        model: What is written in it.
        durable: Whether it must be the outermost.
    """
    alias = router.db_for_write(model)
    connection = connections[alias]
    # MySQL and MariaDB are told before it begins, and PostgreSQL when it has begun.
    told = "" if connection.in_atomic_block else connection.vendor
    if told == "mysql":
        _read_committed(alias)
    with transaction.atomic(using=alias, durable=durable):
        if told == "postgresql":
            _read_committed(alias)
        yield


def _read_committed(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _is_turned_down(error: OperationalError) -> bool:
    cause = error.__cause__
    return not _TURNED_DOWN.isdisjoint((getattr(cause, "sqlstate", None), *error.args[:1]))


class PrimaryManager(models.Manager[M]):
    """Of what operators did: whoever has just done something looks at what came of it."""

    def get_queryset(self) -> models.QuerySet[M]:
        """As Django asks; a database that was chosen stands."""
        found = super().get_queryset()
        return found if self._db else found.using(router.db_for_write(self.model))
