"""Makes a message of a notice: each problem with its title, evidence, remedy and page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from z4j_django.alerts import links
from z4j_django.alerts.causes import Family, Place
from z4j_django.alerts.message import PROBLEMS, Message, Problem, Status
from z4j_django.alerts.planning import Member, Notice
from z4j_django.conditions.attention import described
from z4j_django.conf import settings
from z4j_django.models import ConditionRecord
from z4j_django.queries import releases
from z4j_django.values import SHORT, clean, identifier


def problem(record: ConditionRecord, note: str = "") -> Problem:
    """A stored condition, as it is told.

    Args:
        record: It.
        note: What is said of it besides.
    """
    (one,) = described([record])
    return Problem(
        key=one.key,
        title=one.title,
        severity="critical" if one.severity == "critical" else "warning",
        subject=one.subject,
        evidence=f"{one.evidence} {note}".strip(),
        remedy=one.remedy,
        since=one.since,
        until=one.ended_at,
        url=links.problem(one),
    )


class Composer:
    """Makes the messages of one round.

    Args:
        project: Whose.
        now: The moment.
        holding: What holds, by what it is.
        family: What explains what.
    """

    def __init__(
        self, project: str, now: datetime, holding: Mapping[Place, ConditionRecord], family: Family
    ) -> None:
        self.project = project
        self.now = now
        self._holding = holding
        self._family = family
        self._release: str | None = None

    def message(
        self,
        notice: Notice,
        rule: str,
        group: str,
        status: Status,
        ended: Mapping[Place, ConditionRecord],
    ) -> Message:
        """What is told of a notice, the causes first, then what holds, the worst first.

        Args:
            notice: Which.
            rule: The name of its rule.
            group: What stays of it from the first message to the last.
            status: What is said.
            ended: Those of its problems that hold no more.
        """
        gone = {
            place: self._forgotten(place, one)
            for place, one in notice.members.items()
            if place not in self._holding and place not in ended
        }
        records = {**gone, **ended, **self._holding}
        left = [place for place in notice.members if place in self._holding]
        causes = self.causes(left)
        first = (*causes, *((notice.root,) if notice.root in notice.members else ()))
        rest = (*sorted(notice.named), *self._sorted(left), *notice.members)
        places = list(dict.fromkeys((*first, *rest)))
        known = [place for place in places if place in records]
        told = known[:PROBLEMS]
        notes = {place: one.note for place, one in notice.members.items()}
        return Message(
            id="",
            rule=rule,
            group=f"{self.project}/{rule}/{group}",
            status=status,
            project=self.project,
            environment=settings.environment,
            release=self.release,
            at=self.now,
            problems=tuple(problem(records[one], notes.get(one, "")) for one in told),
            more=len(known) - len(told),
            url=links.first_page(),
        )

    def causes(self, places: Iterable[Place]) -> list[Place]:
        """What explains some problems, itself unexplained; in order."""
        found = {self._family.root(place) for place in places if self._family.above(place)}
        return sorted(found)

    @property
    def release(self) -> str:
        """The newest that was heard of."""
        if self._release is None:
            newest = releases.newest(self.project)
            self._release = newest.name if newest is not None else ""
        return self._release

    def _forgotten(self, place: Place, member: Member) -> ConditionRecord:
        """What stands for a problem that was over, and is not on record any more."""
        return ConditionRecord(
            project=self.project,
            key=place.key,
            subject=place.subject,
            severity=member.severity,
            since=member.seen_at,
            ended_at=self.now,
            evidence="",
        )

    def _sorted(self, places: Iterable[Place]) -> list[Place]:
        records = self._holding
        return sorted(places, key=lambda one: (records[one].severity, records[one].since, one))


def group_of(root: Place) -> str:
    """What stands for a notice: stored, and told to whoever puts messages together by it."""
    return identifier(f"{root.key}:{root.subject}")


def summary(message: Message) -> str:
    """What the list of deliveries shows of it."""
    if not message.problems:
        return ""
    first = message.problems[0]
    others = len(message.problems) - 1 + message.more
    more = f", and {others:,} more" if others else ""
    return clean(f"{first.title}: {first.subject}"[: SHORT - 30] + more)


def packed(message: Message) -> Any:
    """A message as JSON holds it."""
    return msgspec.to_builtins(message)


def unpacked(stored: Any, delivery_id: str) -> Message:
    """The same message, as the delivery of that id.

    Raises:
        msgspec.ValidationError: If another version stored it.
    """
    return msgspec.convert({**stored, "id": delivery_id}, Message)
