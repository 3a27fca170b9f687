"""All conditions, and the thresholds that the settings give them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from z4j_django import logs, options
from z4j_django.conditions import (
    beat_stopped,
    chord_stuck,
    clocks_apart,
    delivered_n_times,
    expired_in_bulk,
    failing,
    journal_behind,
    journal_disk,
    journal_losing,
    journal_stopped,
    new_error,
    no_workers,
    not_evaluated,
    paused_queue_consumed,
    possibly_lost,
    queue_backing_up,
    queue_without_consumer,
    regressed_error,
    schedule_overdue,
    slots_held,
    task_running_long,
    worker_gone,
    worker_not_consuming,
    worker_silent,
)
from z4j_django.conditions.base import Condition, Thresholds
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError

logger = logs.logger("z4j_django.conditions")

#: In the order in which they are evaluated and told: what explains the most comes first, and
#: last which of them could not be.
_ALL: Final[tuple[Condition, ...]] = (
    no_workers.CONDITION,
    clocks_apart.CONDITION,
    journal_stopped.CONDITION,
    journal_losing.CONDITION,
    journal_disk.CONDITION,
    journal_behind.CONDITION,
    worker_gone.CONDITION,
    worker_silent.CONDITION,
    worker_not_consuming.CONDITION,
    slots_held.CONDITION,
    paused_queue_consumed.CONDITION,
    queue_without_consumer.CONDITION,
    queue_backing_up.CONDITION,
    beat_stopped.CONDITION,
    failing.CONDITION,
    regressed_error.CONDITION,
    new_error.CONDITION,
    possibly_lost.CONDITION,
    task_running_long.CONDITION,
    delivered_n_times.CONDITION,
    expired_in_bulk.CONDITION,
    chord_stuck.CONDITION,
    schedule_overdue.CONDITION,
    not_evaluated.CONDITION,
)

#: The same by their keys.
CONDITIONS: Final[Mapping[str, Condition]] = {one.key: one for one in _ALL}


def current() -> dict[str, Thresholds]:
    """Those of the settings; the defaults where these are wrong, as a check says, too."""
    try:
        return thresholds(settings.CONDITIONS)
    except ImproperlyConfigured as error:
        _log_once(str(error))
        return thresholds({})


@functools.cache
def _log_once(problem: str) -> None:
    logger.warning("All conditions have their defaults: %s", problem)


def thresholds(given: Mapping[str, Any]) -> dict[str, Thresholds]:
    """The thresholds of each condition that is evaluated.

    Args:
        given: ``Z4J["CONDITIONS"]``: thresholds by their names, or ``False``, by the condition.

    Raises:
        ImproperlyConfigured: If a condition or a threshold is unknown, or out of its bounds.
    """
    for key in given:
        if key not in CONDITIONS:
            raise ImproperlyConfigured(
                f"Z4J['CONDITIONS'] has no place for {key!r}; it may hold {', '.join(CONDITIONS)}."
            )
    return {
        key: _thresholds(one, given.get(key, True))
        for key, one in CONDITIONS.items()
        if given.get(key) is not False
    }


def _thresholds(condition: Condition, given: Any) -> Thresholds:
    try:
        return options.read(condition.thresholds, {} if given is True else given)
    except OptionsError as error:
        name, reason = next(iter(error.errors.items()))
        place = f"Z4J['CONDITIONS'][{condition.key!r}][{name!r}]"
        raise ImproperlyConfigured(f"{place}: {reason}") from None
