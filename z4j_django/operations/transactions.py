"""The transactions of operations: their own, one at a time for a queue, and never behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone

from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, primary

#: Seconds of silence after which the process that is at a queue is taken for dead.
SILENCE: Final = 60.0
_IN_A_TRANSACTION: Final = (
    "This can't be done inside a transaction: what is published, or removed from a queue, can't be "
    "rolled back, and its trail would be. Do it after the commit."
)


@contextlib.contextmanager
def own_transaction() -> Iterator[None]:
    """A transaction that is committed at the end of the block, and is in no other.

    Raises:
        OperationError: If the caller is inside one.
    """
    alias = router.db_for_write(Operation)
    connection = connections[alias]
    if not connection.in_atomic_block and not connection.get_autocommit():
        raise OperationError(_IN_A_TRANSACTION)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(up_to_date(durable=True))
        except RuntimeError:
            raise OperationError(_IN_A_TRANSACTION) from None
        yield


def up_to_date(*, durable: bool = False) -> AbstractContextManager[None]:
    """A transaction of operations each of whose statements sees what others have committed."""
    return primary.up_to_date(Operation, durable=durable)


@contextlib.contextmanager
def only_one(holds: str | None) -> Iterator[None]:
    """Refuse what writes an operation down in the block, where another is at the same.

    Raises:
        OperationError: If it is; the message names it.
    """
    if holds is None:
        yield
        return
    holders = Operation.objects.filter(holds=holds)
    silent_since = timezone.now() - timedelta(seconds=SILENCE)
    holders.filter(updated_at__lt=silent_since).update(holds=None)
    try:
        with transaction.atomic(using=router.db_for_write(Operation)):
            yield
    except IntegrityError:
        holder = holders.first()
        named = "Another operation" if holder is None else f"Operation {holder.pk}"
        words = f"{named} is at it already. Abort it, or wait for its end."
        raise OperationError(words) from None
