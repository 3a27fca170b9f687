"""The original messages of a batch, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from z4j_django.agent import events
from z4j_django.secrets import sealing
from z4j_django.store.rows import PayloadRow

#: Bytes that every database takes in one statement, whatever its settings.
_TAKEN_BY_ALL: Final = 256 * 1024


def sealed(
    originals: Mapping[tuple[str, str], tuple[int, float, events.Original]], connection: Any
) -> list[PayloadRow]:
    """The rows of ``Fold.originals``, sorted by key.

    Of a message that is too large to be kept, only the size is told: for the agent, which left
    its body out, or for the database, which would refuse the whole batch.

    Args:
        originals: An attempt, its time, and its message, by project and task id.
        connection: The Django connection that they are for.
    """
    rows: list[PayloadRow] = []
    for (project, task_id), (_, at, original) in sorted(originals.items()):
        message = b""
        if original.body or not original.size:
            message = sealing.seal(original, sealing.task_context(project, task_id))
            if len(message) > _TAKEN_BY_ALL and len(message) > _room(connection):
                message = b""
        rows.append(PayloadRow(project, task_id, message, original.size, at))
    return rows


def _room(connection: Any) -> int:
    """Bytes that one value may have."""
    if connection.vendor != "mysql":
        return 1 << 29  # PostgreSQL's and SQLite's own bounds are past it
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        # Written down, a random byte takes a little more than itself.
        return int(cursor.fetchone()[0]) // 2
