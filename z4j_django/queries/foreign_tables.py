"""Tables of other apps, read as they are: a shipper has our app alone, and not their models.

One that lies in another database than ours is read in a thread, which is waited for a few
seconds: whoever evaluates the conditions has more to do. While such a thread still waits, there is
no second one, with a second connection, for the same database.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, Final

from django.db import connections, router

from z4j_django.models import TaskRecord
from z4j_django.timeouts import within

#: Seconds for which another database than ours is waited for.
TIMEOUT: Final = 5.0

#: Threads that nobody waits for any more, by their process and the database.
_left_behind: dict[tuple[int, str], threading.Thread] = {}


def rows(alias: str, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """What a statement finds.

    Args:
        alias: The database.
        statement: In SQL, with its names in double quotes.
        values: For its marks.

    Raises:
        TimeoutError: If another database than ours does not answer.
        Exception: Whatever it raises.
    """
    if alias == router.db_for_read(TaskRecord):
        return _rows(alias, statement, values)

    asks: list[threading.Thread] = []

    def call() -> list[Any]:
        asks.append(threading.current_thread())
        try:
            return _rows(alias, statement, values)
        finally:
            connections[alias].close()  # this thread's own

    here = os.getpid(), alias
    if here in _left_behind and _left_behind[here].is_alive():
        raise TimeoutError("it has not answered the last time yet")
    try:
        return within(TIMEOUT, call)
    except TimeoutError:
        _left_behind.update((here, one) for one in asks)
        raise


def _rows(alias: str, statement: str, values: Sequence[Any]) -> list[Any]:
    connection = connections[alias]
    quote = connection.ops.quote_name("x")[0]
    with connection.cursor() as cursor:
        cursor.execute(statement.replace('"', quote), list(values))
        return list(cursor.fetchall())
