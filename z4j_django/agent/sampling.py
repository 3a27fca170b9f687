"""Which tasks are noise: of those only a share is recorded, or nothing.

The publisher decides, and stamps it on the message, so that all processes keep to it; a worker
decides for messages that nobody stamped. A task that fails is recorded whatever the share was.
"""

from __future__ import annotations

import fnmatch
import zlib
from collections.abc import Mapping
from typing import Any, Final

from celery._state import get_current_app

#: Everything; failures, retries, revokes and rejections with all that led to them, while the rest
#: is only counted; nothing.
ALL: Final = "all"
FAILURES: Final = "failures"
NOTHING: Final = "nothing"

#: Names whose share is remembered.
_KNOWN: Final = 4_096


class Sampling:
    """Decides about each task.

    Args:
        shares: By pattern of names (``shop.tick*``), the share of the tasks to record, from 0
            to 1, or ``None`` for nothing at all. The first pattern that fits decides; where none
            does, the option ``z4j`` of the task itself: ``@task(z4j=False)`` or
            ``@task(z4j={"sample": 0.01})``.
    """

    def __init__(self, shares: Mapping[str, float | None]) -> None:
        self._shares = shares
        self._known: dict[str, float | None] = {}
        #: Names of which all is kept, of those that are known by now.
        self.whole: set[str] = set()

    def keep(self, name: str, task_id: str) -> str:
        """What to record of a task: the same answer for the same id in every process."""
        try:
            share = self._known[name]
        except KeyError:
            share = self._share(name)
            if len(self._known) < _KNOWN:
                self._known[name] = share
                if share is not None and share >= 1.0:
                    self.whole.add(name)
        if share is None:
            return NOTHING
        if share >= 1.0 or zlib.crc32(task_id.encode(errors="replace")) < share * 2**32:
            return ALL
        return FAILURES

    def is_whole(self, name: str) -> bool:
        """Whether all tasks of a name are recorded."""
        share = self._share(name)
        return share is not None and share >= 1.0

    def _share(self, name: str) -> float | None:
        for pattern, share in self._shares.items():
            if fnmatch.fnmatchcase(name, pattern):
                return share
        return _own_share(get_current_app()._tasks.get(name))


def _own_share(task: Any) -> float | None:
    option = getattr(task, "z4j", None)
    option = getattr(option, "option", option)  # as ``progress.OfTask`` keeps it
    if option is False:
        return None
    share = option.get("sample") if isinstance(option, Mapping) else None
    return float(share) if isinstance(share, (int, float)) else 1.0
