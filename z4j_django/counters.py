"""What the statistics count, for how long together, and of what: the words of all that do. Pure."""

from __future__ import annotations

from typing import Final

#: What is counted; columns of the statistics.
COUNTERS: Final = (
    "sent",
    "received",
    "started",
    "succeeded",
    "failed",
    "retried",
    "revoked",
    "rejected",
    "ignored",
    "sampled",
)
#: Seconds that are counted together. Each event counts once in each, so none is made of another.
MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
STEPS: Final = (MINUTE, HOUR, DAY)
#: What stands for all time, which begins at 0: what is counted so only grows, whatever is deleted.
EVER: Final = 0
#: Of what: tasks of one name from one queue, all from one queue, all.
NAMES: Final = "names"
QUEUES: Final = "queues"
ALL: Final = "all"
#: Of the failures with one cause: by hours, under the id of their error, and only how many.
ERRORS: Final = "errors"
#: Of the events that were lost for one reason and are on no list any more: how many, as failed.
LOSSES: Final = "losses"
SCOPES: Final = (NAMES, QUEUES, ALL, ERRORS)
#: Seconds that the clock of a host may be ahead.
FAR: Final = DAY


def near(at: float, now: float) -> float:
    """When something counts: of what lies in a far future, the moment at which it is stored."""
    return at if at <= now + FAR else now
