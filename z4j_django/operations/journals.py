"""Journals: to say of one that nobody will ship it any more.

That is a statement on our own record, and no operation on a target: it takes no permission but that
to run commands, and its trail is the log. A shipper that reports the journal again puts it back.
"""

from __future__ import annotations

from django.db import router
from django.utils import timezone

from z4j_django import logs
from z4j_django.exceptions import OperationError
from z4j_django.models import JournalRecord
from z4j_django.queries import health

logger = logs.logger("z4j_django.operations")


def dismiss(host: str, directory: str, *, actor: str) -> health.Journal:
    """Take a journal off the record, of which nothing was heard for a while.

    Args:
        host: The machine that it was on.
        directory: Where it was there.
        actor: What the program that asks calls itself.

    Returns:
        The journal as it stood.

    Raises:
        OperationError: If there is none, or somebody ships it.
    """
    written = JournalRecord.objects.using(router.db_for_write(JournalRecord))
    row = written.filter(host=host, directory=directory).first()
    if row is None:
        raise OperationError(f"There is no journal {host}:{directory} on record.")
    found = health.journal(row, timezone.now())
    heard_again = (
        found.silence <= health.SILENT_AFTER
        or not written.filter(pk=row.pk, seen_at=row.seen_at).delete()[0]
    )
    if heard_again:
        raise OperationError(
            f"The journal {row} is shipped: its shipper reported within the last "
            f"{health.span(health.SILENT_AFTER)}."
        )
    logger.warning("The journal %s was dismissed by %s.", row, actor)
    return found
