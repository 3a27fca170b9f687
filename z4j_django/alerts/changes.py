"""Tells the process itself of what begins and ends: by a Django signal, and to Sentry's trail."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from z4j_django import logs, signals
from z4j_django.alerts import composing
from z4j_django.alerts.message import Problem, Status
from z4j_django.models import ConditionRecord

logger = logs.logger("z4j_django.alerts")


@dataclass(frozen=True)
class Changes:
    """What a round found to be otherwise than the one before.

    Attributes:
        begun: What holds now.
        ended: What holds no more.
    """

    begun: list[ConditionRecord] = field(default_factory=list)
    ended: list[ConditionRecord] = field(default_factory=list)


def tell(project: str, changes: Changes) -> None:
    """Tell whoever listens in this process. What receivers raise, Django logs."""
    if not signals.alert_changed.has_listeners(Problem) and "sentry_sdk" not in sys.modules:
        return
    for alert, status in _changed(changes):
        signals.alert_changed.send_robust(Problem, alert=alert, status=status, project=project)
        _leave_breadcrumb(alert, status)


def _changed(changes: Changes) -> Iterator[tuple[Problem, Status]]:
    yield from _problems(changes.begun, "firing")
    yield from _problems(changes.ended, "resolved")


def _problems(
    records: Iterable[ConditionRecord], status: Status
) -> Iterator[tuple[Problem, Status]]:
    for record in records:
        yield composing.problem(record), status


def _leave_breadcrumb(alert: Problem, status: Status) -> None:
    """In Sentry's trail, where the project has loaded it."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is None:
        return
    level = "info" if status == "resolved" else "error" if alert.severity == "critical" else status
    try:
        sentry.add_breadcrumb(
            category="z4j",
            type="default",
            level="warning" if level == "firing" else level,
            message=f"{status}: {alert.title} {alert.subject}".rstrip(),
            data={"evidence": alert.evidence, "since": alert.since.isoformat(), "url": alert.url},
        )
    except Exception as error:  # whatever it makes of that
        logger.debug("Sentry takes no breadcrumb: %s", type(error).__name__)
