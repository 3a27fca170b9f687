"""One round: all conditions are evaluated, and what holds is stored for as long as it does."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connections, router, transaction
from django.db.models import F

from z4j_django import logs
from z4j_django.alerts.changes import Changes
from z4j_django.conditions.base import EVIDENCE_LENGTH, Condition, Finding, Thresholds
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conditions.scene import Scene
from z4j_django.models import ConditionRecord
from z4j_django.models.primary import primary
from z4j_django.secrets.masking import mask_text
from z4j_django.values import clean, identifier

logger = logs.logger("z4j_django.watch")

#: Rounds in a row in which a condition does not hold before it ends: what comes and goes stays.
MISSES: Final = 2
#: Subjects of one condition that are told; of more, that there are more.
SUBJECTS_LIMIT: Final = 100

_KEY: Final = ("project", "key", "subject", "is_open")
_TOLD: Final = ("severity", "since", "last_seen", "evidence", "numbers", "missed")

#: What holds, by the condition's key and the subject.
_Found = dict[tuple[str, str], tuple[Condition, Finding]]


def evaluate(
    project: str,
    now: datetime,
    thresholds: Mapping[str, Thresholds],
    told: set[str],
    host_ahead: float = 0.0,
) -> Generator[None, None, Changes]:
    """Evaluate and store; it may be gone on with whenever there is time.

    Args:
        project: Whose conditions.
        now: The moment, by the database's clock.
        thresholds: Those of each condition that is to be evaluated.
        told: What was logged already; no failure is logged each time.
        host_ahead: Seconds by which the clock of this host is ahead of the database's.

    Yields:
        Nothing, after each condition.

    Returns:
        What is otherwise than in the round before.
    """
    _tune()
    scene = Scene(project, now, host_ahead)
    found: _Found = {}
    for key, limits in thresholds.items():
        try:
            with _apart():
                found.update(_findings(CONDITIONS[key], scene, limits))
        except Exception as error:  # whatever it is, the others are evaluated
            reason = " ".join(mask_text(f"{type(error).__name__}: {error}").split())
            scene.failures[key] = reason
            if (line := f"{key}: {type(error).__name__}") not in told:
                told.add(line)
                logger.warning("The condition %s can't be evaluated: %s", key, reason)
        yield
    return _store(scene, found, set(thresholds))


def _tune() -> None:
    """Have PostgreSQL compile no statement of a round: that takes longer than to run it.

    It judges by what a statement would cost if it had to read all that it may.
    """
    connection = connections[router.db_for_read(ConditionRecord)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")


def _findings(condition: Condition, scene: Scene, limits: Thresholds) -> _Found:
    findings = iter(condition.find(scene, limits))
    found = {
        (condition.key, identifier(one.subject)): (condition, one)
        for one in itertools.islice(findings, SUBJECTS_LIMIT)
    }
    if next(findings, None) is not None:
        since = min(one.since for _, one in found.values())
        words = f"The same holds of more than {SUBJECTS_LIMIT}; the others are not listed."
        more = Finding("", since, words, {"more_than": SUBJECTS_LIMIT})
        found.setdefault((condition.key, ""), (condition, more))
    return found


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """What fails leaves a transaction that is open already, such as a request's, as it is."""
    alias = router.db_for_read(ConditionRecord)
    if not connections[alias].in_atomic_block:
        yield
        return
    with transaction.atomic(using=alias):
        yield


def _store(scene: Scene, found: _Found, evaluated: set[str]) -> Changes:
    open_now = primary(ConditionRecord).filter(project=scene.project, is_open=True)
    known = {(one.key, one.subject): one for one in open_now}
    begun = [place for place in found if place not in known]
    rows = {
        place: _record(scene, known.pop(place, None), place, *one) for place, one in found.items()
    }
    _write(rows.values())
    ending: list[ConditionRecord] = []
    missing: list[int] = []
    for (key, _), one in known.items():
        if key in scene.failures:
            continue  # nobody knows whether it holds
        is_last = one.missed + 1 >= MISSES or key not in evaluated
        if is_last:
            one.ended_at = scene.now
            ending.append(one)
        else:
            missing.append(one.pk)
    if ending:
        over = primary(ConditionRecord).filter(pk__in=[one.pk for one in ending])
        over.update(ended_at=scene.now, is_open=None)
    if missing:
        primary(ConditionRecord).filter(pk__in=missing).update(missed=F("missed") + 1)
    return Changes([rows[place] for place in begun], ending)


def _record(
    scene: Scene,
    known: ConditionRecord | None,
    place: tuple[str, str],
    condition: Condition,
    finding: Finding,
) -> ConditionRecord:
    since = min(finding.since, scene.now)
    if known is not None:
        since = min(since, known.since)
    return ConditionRecord(
        project=scene.project,
        key=place[0],
        subject=place[1],
        severity=finding.severity or condition.severity,
        since=since,
        last_seen=scene.now,
        evidence=clean(finding.evidence, EVIDENCE_LENGTH),
        numbers={name: _number(value) for name, value in finding.numbers.items()},
        is_open=True,
        missed=0,
    )


def _number(value: float | str) -> float | str:
    return clean(value) if isinstance(value, str) else value


def _write(records: Iterable[ConditionRecord]) -> None:
    """Open what is new and refresh what is open, in one statement a batch."""
    rows = sorted(records, key=lambda one: (one.key, one.subject))
    target: dict[str, Any] = {"unique_fields": _KEY}
    if connections[router.db_for_write(ConditionRecord)].vendor == "mysql":
        target = {}  # whose statement names no constraint
    primary(ConditionRecord).bulk_create(
        rows, batch_size=SUBJECTS_LIMIT, update_conflicts=True, update_fields=_TOLD, **target
    )
