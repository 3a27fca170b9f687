"""What the result backend has counted of chords, wherever this process may look for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from z4j_django import handover, result_backend
from z4j_django.queries import foreign_tables
from z4j_django.result_backend import Counter
from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within

#: Seconds that the backend has to tell of all chords, and for which it is left alone if it does
#: not: whoever evaluates the conditions has more to do.
TIMEOUT: Final = 2.0
PAUSE: Final = 60.0
#: The table of django-celery-results, whose models are full of Celery.
_TABLE: Final = "django_celery_results_chordcounter"

#: Until when, by the monotonic clock, the backend is left alone, and why.
_paused: list[tuple[float, str]] = []


class UnreadableError(Exception):
    """Nobody can tell what the backend has counted; the message says why."""


def described() -> Mapping[str, Any]:
    """What is known of the backend: what was handed over to this process, or the project's own."""
    if (given := handover.told("results")) is not None:
        return given
    from z4j_django import wiring  # which imports Celery, as this process has done

    return wiring.describe_results()


def read(backend: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Counter | None]:
    """The counters of some chords; ``None`` where the backend has none of a chord.

    Args:
        backend: What is known of it.
        sizes: How many members each chord has, by its id.

    Raises:
        UnreadableError: If nobody can tell.
    """
    is_elsewhere = backend["kind"] == result_backend.DJANGO and not backend["tables"]
    if why_not := backend["unknown"] or (is_elsewhere and "its database is not known here"):
        raise UnreadableError(mask_text(why_not))
    if _paused and time.monotonic() < _paused[0][0]:
        raise UnreadableError(_paused[0][1])
    _paused.clear()
    ids = list(sizes)
    try:
        if backend["kind"] == result_backend.REDIS:
            found = within(TIMEOUT, lambda: result_backend.read(backend, ids, TIMEOUT / 2))
            return {key: one if one != _NOTHING else None for key, one in found.items()}
        left = _left(backend["tables"], ids)
    except Exception as error:  # whatever a client raises
        reason = mask_text(f"{type(error).__name__}: {error}")
        _paused.append((time.monotonic() + PAUSE, reason))
        raise UnreadableError(reason) from error
    return {
        key: Counter(size - left[key], size) if key in left else None for key, size in sizes.items()
    }


_NOTHING: Final = Counter(0, None)


def _left(alias: str, group_ids: Sequence[str]) -> dict[str, int]:
    """How many members each chord still waits for, by django-celery-results."""
    marks = ", ".join(["%s"] * len(group_ids))
    statement = f'SELECT "group_id", "count" FROM "{_TABLE}" WHERE "group_id" IN ({marks})'  # noqa: S608 - names of our own
    return dict(foreign_tables.rows(alias, statement, group_ids))
