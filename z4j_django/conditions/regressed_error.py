"""Errors that came back after somebody had said that they are resolved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from z4j_django.conditions import new_error
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import Release
from z4j_django.values import duration


def find(scene: Scene, thresholds: Thresholds) -> Iterator[Finding]:
    """One finding an error, until somebody sees to it."""
    back = new_error.still_open(scene.project).filter(regressed_at__isnull=False)
    found = new_error.most_frequent(back)
    keys = {one.resolved_release for one in found if one.resolved_release is not None}
    releases = Release.objects.filter(project=scene.project, key__in=keys)
    names = dict(releases.values_list("key", "name")) if keys else {}
    for one in found:
        at = one.regressed_at or scene.now
        release = names.get(one.resolved_release or 0)
        resolved = f"resolved in {short(release)}" if release else "resolved"
        age = duration(scene.seconds(at))
        evidence = (
            f"{new_error.what(one)}. It was said to be {resolved}, and came back {age} ago; it "
            f"was seen {new_error.times(one)} in all."
        )
        yield new_error.finding(one, at, evidence)


CONDITION: Final = Condition(
    key="regressed_error",
    title="Error came back",
    about="A task fails in a way that somebody had said to be resolved.",
    severity="critical",
    subject="error",
    remedy="See which release came with it. Resolve it anew, or ignore it, once it is seen to.",
    find=find,
    filter=of_subject("error"),
)
