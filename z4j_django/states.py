"""The states of a task: Celery's names, and the order of two states at one instant."""

from __future__ import annotations

from typing import Final

PENDING: Final = "PENDING"
RECEIVED: Final = "RECEIVED"
STARTED: Final = "STARTED"
RETRY: Final = "RETRY"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
REJECTED: Final = "REJECTED"
IGNORED: Final = "IGNORED"

#: Every state, in the order that decides between two events of the same instant.
ALL: Final = (
    PENDING,
    RECEIVED,
    STARTED,
    RETRY,
    IGNORED,
    REJECTED,
    REVOKED,
    FAILURE,
    SUCCESS,
)

#: States from which a task moves on by itself.
UNFINISHED: Final = frozenset({PENDING, RECEIVED, STARTED, RETRY})

#: States that end a task.
FINISHED: Final = frozenset(ALL) - UNFINISHED

#: Rank of each state among events of one instant; the greater one stands.
RANK: Final = {state: rank for rank, state in enumerate(ALL)}
