"""What is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

#: ``test``: somebody wants to see whether the channel works.
Status = Literal["firing", "resolved", "test"]
#: As the conditions have it; read back from what is stored.
Severity = Literal["warning", "critical"]

#: Problems that one message names.
PROBLEMS: Final = 100


@dataclass(frozen=True)
class Problem:
    """One condition's finding, as it is told.

    Attributes:
        key: The condition's, such as ``worker_gone``.
        title: The condition's, for people.
        severity: How bad it is.
        subject: What it is said of; empty for the project as a whole.
        evidence: A sentence with the numbers in it.
        remedy: What to do.
        since: Since when it holds.
        until: When it ended; ``None`` while it holds.
        url: The absolute address of its page; empty where none is known.
    """

    key: str
    title: str
    severity: Severity
    subject: str
    evidence: str
    remedy: str
    since: datetime
    until: datetime | None = None
    url: str = ""


@dataclass(frozen=True)
class Message:
    """What one channel is told once of one group of problems.

    Attributes:
        id: Of this delivery: each attempt at it has the same.
        rule: The name of the rule by which it is told.
        group: What stays from the first word of a group to the last, so that who hears it can put
            both together.
        status: What it says; a firing one may name problems that ended.
        project: The project's name.
        environment: Where it runs; may be empty.
        release: What runs there; may be empty.
        at: When it was written.
        problems: The root cause first; at most :data:`PROBLEMS`.
        more: How many there are beyond these.
        url: The absolute address of the first page; empty where none is known.
    """

    id: str
    rule: str
    group: str
    status: Status
    project: str
    environment: str
    release: str
    at: datetime
    problems: tuple[Problem, ...]
    more: int = 0
    url: str = ""

    @property
    def severity(self) -> Severity:
        """That of the worst."""
        is_critical = any(one.severity == "critical" for one in self.problems)
        return "critical" if is_critical else "warning"
