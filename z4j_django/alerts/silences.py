"""What nobody is told of for a while, and what is said when that is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from django.db.models import Q

from z4j_django.alerts.causes import Place
from z4j_django.alerts.planning import Holding
from z4j_django.models import AlertSilence
from z4j_django.models.primary import primary
from z4j_django.values import counted

#: Silences of a project that are looked at, and alerts that one keeps in mind.
LIMIT: Final = 500
HELD: Final = 1_000


class Silences:
    """The silences of a project at one moment.

    Args:
        project: Whose.
        now: The moment.
    """

    def __init__(self, project: str, now: datetime) -> None:
        self._now = now
        mine = primary(AlertSilence).filter(project=project)
        holds = Q(ended_at=None, until__gt=now)
        found = list(mine.filter(holds | Q(said_at=None)).order_by("id")[:LIMIT])
        self._active = [one for one in found if one.ended_at is None and one.until > now]
        self._over = [one for one in found if one not in self._active]
        #: Those that hold back more than before, by their keys.
        self._changed: dict[int, AlertSilence] = {}

    def hold_back(self, wanted: Iterable[Holding]) -> frozenset[Place]:
        """Those of some problems that nobody is told of; they are counted."""
        found = set()
        for one in wanted:
            for silence in self._active:
                if is_about(silence, one):
                    found.add(one.place)
                    self._count(silence, one.place)
        return frozenset(found)

    def notes(self, holding: Mapping[Place, Holding]) -> dict[Place, str]:
        """What is said, after the end of a silence, of what it held back and holds still."""
        found = {}
        for silence in self._over:
            end = silence.ended_at or silence.until
            held = counted(silence.held_count, "alert was", "alerts were")
            words = (
                f"It was silenced by {silence.created_by} until {end:%Y-%m-%d %H:%M}; {held} held "
                "back."
            )
            for key, subject in silence.held:
                if (place := Place(key, subject)) in holding:
                    found[place] = words
        return found

    def save(self) -> None:
        """Keep in mind what was held back, and what was said."""
        for silence in self._changed.values():
            silence.save(update_fields=["held", "held_count"])
        if over := [one.pk for one in self._over]:
            primary(AlertSilence).filter(pk__in=over).update(said_at=self._now)

    def _count(self, silence: AlertSilence, place: Place) -> None:
        if list(place) in silence.held or len(silence.held) >= HELD:
            return
        silence.held.append(list(place))
        silence.held_count += 1
        self._changed[silence.pk] = silence


def is_about(silence: AlertSilence, one: Holding) -> bool:
    """Whether nobody is told of a problem by a silence."""
    if silence.condition and silence.condition != one.place.key:
        return False
    return any(fnmatchcase(name, silence.subject) for name in one.names)
