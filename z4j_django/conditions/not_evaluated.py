"""Nobody knows whether something is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene


def find(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """The conditions that failed in this round."""
    for key, reason in scene.failures.items():
        yield Finding(key, scene.now, f"Whether {key} holds is not known: {reason}")


CONDITION = Condition(
    key="not_evaluated",
    title="Condition not evaluated",
    about="A condition could not be evaluated: the database refused its query, or the like.",
    severity="warning",
    subject="condition",
    remedy="Run `manage.py migrate` if an update asks for it; else report it with the evidence.",
    find=find,
)
