"""Conditions of a moment, and what they find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from z4j_django.conditions.base import Condition, Finding
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conditions.scene import Scene

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    """So long before the moment of which all of it is asked."""
    return NOW - timedelta(**span)


def find(key: str, **thresholds: Any) -> list[Finding]:
    """What a condition finds now, in the order of the subjects."""
    condition: Condition = CONDITIONS[key]
    found = condition.find(Scene("default", NOW), condition.thresholds(**thresholds))
    return sorted(found, key=lambda finding: finding.subject)


def evidence(key: str, **thresholds: Any) -> dict[str, str]:
    """Its evidence by subject."""
    return {one.subject: one.evidence for one in find(key, **thresholds)}
