"""What a condition is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from z4j_django.conditions.scene import Scene
from z4j_django.options import Options
from z4j_django.queries.filter import words

Severity = Literal["warning", "critical"]
#: What a condition is said of.
Subject = Literal[
    "project",
    "queue",
    "worker",
    "task type",
    "task",
    "schedule",
    "error",
    "group",
    "journal",
    "host",
    "condition",
]

#: Characters of the evidence.
EVIDENCE_LENGTH: Final = 500


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong now.

    Attributes:
        subject: The queue, worker, task type and so on; empty for the project as a whole.
        since: Since when it holds, as far as the records tell.
        evidence: A sentence with the numbers in it, for people.
        numbers: The same numbers, for machines.
        severity: How bad it is; by default what the condition says.
    """

    subject: str
    since: datetime
    evidence: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    severity: Severity | None = None


class Thresholds(Options, frozen=True, kw_only=True):
    """From where on something is wrong; each has bounds and a default (see ``options.option``)."""


@dataclass(frozen=True)
class Condition:
    """Something that can be wrong, declared once.

    Attributes:
        key: Its name, such as ``queue_without_consumer``.
        title: The same for people: ``Queue without a consumer``.
        about: When it holds, in a sentence: the docs' table is made of it.
        severity: How bad it is where a finding does not say otherwise.
        subject: What it is said of.
        remedy: What to do, in one or two sentences.
        find: What is wrong with the project of a scene, by thresholds.
        thresholds: Which there are; ``Z4J["CONDITIONS"][key]`` says otherwise.
        filter: The filter's text that lists the tasks of a finding.
    """

    key: str
    title: str
    about: str
    severity: Severity
    subject: Subject
    remedy: str
    find: Callable[[Scene, Any], Iterable[Finding]]
    thresholds: type[Thresholds] = Thresholds
    filter: Callable[[Finding], str] | None = None


def of_subject(term: str, *more: str) -> Callable[[Finding], str]:
    """A filter by a term with the subject for its value, and more terms as they stand."""

    def text(finding: Finding) -> str:
        return " ".join((f"{term}:{words.shown(finding.subject, '*')}", *more))

    return text
